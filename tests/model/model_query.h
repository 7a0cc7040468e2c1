// SPDX-License-Identifier: BSD-2-Clause
// Copyright (c) 2026 the Nameplane authors
//
// Random questions to a random zone.
#pragma once

#include "model_answer.h"

void model_question_random(
    const struct mzone *zone, uint64_t seed, struct model_question *question);
