/* SPDX-License-Identifier: MIT */
/*
 * What a request may ask for. Each verb reads its keys, and does nothing when one of them is wrong.
 */
#ifndef VERBS_H
#define VERBS_H

#include "answer.h"
#include "request.h"

/* Do a request in this very process, whose environment must allow the registration it asks for. */
void verb_do(struct request *request, struct answer *answer);

/* Whether the request is refused; the answer says why. */
bool refuses(struct request *request, struct answer *answer);

/* The verbs, a file each or several that belong together. */
void verb_hello(struct request *request, struct answer *answer);
void verb_list(struct request *request, struct answer *answer);
void verb_check(struct request *request, struct answer *answer);
void verb_time(struct request *request, struct answer *answer);
void verb_calibrate(struct request *request, struct answer *answer);
void verb_gate(struct request *request, struct answer *answer);
void verb_read(struct request *request, struct answer *answer);
void verb_glob(struct request *request, struct answer *answer);
void verb_program(struct request *request, struct answer *answer);

#endif
