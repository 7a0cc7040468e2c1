# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# Line charts as SVG: a title, axes with a few marks, lines whose names stand at their ends.
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 80, 210, 64, 64
# Told apart by people who see fewer colours, too (after Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7a5c00", "#56b4e9", "#555555", "#000000")


class Chart:
    def __init__(self, title, subtitle, x_title, y_title):
        self.head = (title, subtitle, x_title, y_title)
        self.lines = []  # name, [(x, y)]

    def line(self, name, points):
        self.lines.append((name, points))

    # x_marks: (position, text), y_marks: the same. Positions are those of points, after `x` and `y` were applied.
    def svg(self, x_marks, y_marks, x=lambda v: v, y=lambda v: v):
        xs = [x(px) for _, points in self.lines for px, _ in points] + [p for p, _ in x_marks]
        low_x, high_x = min(xs), max(xs)
        low_y, high_y = y_marks[0][0], y_marks[-1][0]

        def at(px, py):
            return (LEFT + (px - low_x) / ((high_x - low_x) or 1) * (WIDTH - LEFT - RIGHT),
                    HEIGHT - BOTTOM - (py - low_y) / ((high_y - low_y) or 1) * (HEIGHT - TOP - BOTTOM))

        title, subtitle, x_title, y_title = map(escape, self.head)
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
               'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="13">',
               f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
               f'<text x="{LEFT}" y="24" font-size="17" font-weight="bold">{title}</text>',
               f'<text x="{LEFT}" y="44" fill="#555">{subtitle}</text>']
        for position, words in y_marks:
            x0, y0 = at(low_x, position)
            out.append(f'<line x1="{x0:.1f}" x2="{WIDTH - RIGHT}" y1="{y0:.1f}" y2="{y0:.1f}" stroke="#ddd"/>'
                       f'<text x="{LEFT - 8}" y="{y0 + 4:.1f}" text-anchor="end">{escape(words)}</text>')
        for position, words in x_marks:
            x0, y0 = at(position, low_y)
            out.append(f'<line x1="{x0:.1f}" x2="{x0:.1f}" y1="{y0:.1f}" y2="{y0 + 5:.1f}" stroke="#555"/>'
                       f'<text x="{x0:.1f}" y="{y0 + 20:.1f}" text-anchor="middle">{escape(words)}</text>')
        out += [f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 16}" text-anchor="middle" fill="#555">{x_title}</text>',
                f'<text transform="translate(20 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle" '
                f'fill="#555">{y_title}</text>']
        ends = []
        for number, (name, points) in enumerate(self.lines):
            colour = COLOURS[number % len(COLOURS)]
            placed = [at(x(px), min(max(y(py), low_y), high_y)) for px, py in points]
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py in placed)
            out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
            out += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}"/>' for px, py in placed]
            ends.append([placed[-1][1], placed[-1][0], name, colour])
        # Names do not cover each other: from the top down, each at least a line's height below the last.
        ends.sort()
        below = 0
        for end in ends:
            end[0] = max(end[0], below)
            below = end[0] + 16
        over = max(0, below - 16 - (HEIGHT - BOTTOM))
        out += [f'<text x="{WIDTH - RIGHT + 12}" y="{py - over + 4:.1f}" fill="{colour}" font-weight="bold">{escape(name)}</text>'
                for py, _, name, colour in ends]
        return "\n".join(out + ["</svg>", ""])


# Marks 1, 10, 100 ... around the values, at their logarithms.
def decades(values, words):
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return [(float(e), words(10 ** e)) for e in range(low, max(high, low + 1) + 1)]


# From 0 to above the largest in steps of 1, 2 or 5 of a power of ten.
def steps(largest, words):
    step = 10 ** math.floor(math.log10(largest))
    for factor in (0.2, 0.5, 1, 2):
        if largest / (step * factor) <= 6:
            step *= factor
            break
    return [(i * step, words(i * step)) for i in range(math.ceil(largest / step) + 1)]
