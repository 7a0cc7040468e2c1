#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
# Copyright (c) 2026 the Nameplane authors
#
# A file as a C array, so that the binary carries its XDP program with it. Called by meson.
import sys

source, target = sys.argv[1:3]
data = open(source, 'rb').read()
rows = (data[i:i + 16] for i in range(0, len(data), 16))
with open(target, 'w') as out:
    out.write('static const unsigned char np_xdp_object[] __attribute__((aligned(8))) = {\n')
    for row in rows:
        out.write('\t' + ''.join('%d,' % byte for byte in row) + '\n')
    out.write('};\n')
