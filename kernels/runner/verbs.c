// SPDX-License-Identifier: MIT
#include "verbs.h"

#include <string.h>

#include "host.h"

static const struct {
	const char *name;
	void (*run)(struct request *request, struct answer *answer);
} verbs[] = {
	{ "hello", verb_hello }, { "list", verb_list },		  { "check", verb_check },
	{ "time", verb_time },	 { "calibrate", verb_calibrate }, { "gate", verb_gate },
	{ "read", verb_read },	 { "glob", verb_glob },		  { "program", verb_program },
};

bool refuses(struct request *request, struct answer *answer)
{
	const char *why = request_refused(request);

	if (why)
		answer_fail(answer, "%s", why);
	return why;
}

void verb_do(struct request *request, struct answer *answer)
{
	const char *error;

	request->registration = request_has(request, "registration")
					? request_text(request, "registration")
					: "auto";
	if (request->wrong[0]) {
		answer_fail(answer, "%s", request->wrong);
		return;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(request->verb, verbs[i].name))
			continue;
		error = host_start(request->registration);
		if (error)
			answer_fail(answer, "%s", error);
		else
			verbs[i].run(request, answer);
		return;
	}
	answer_fail(answer, "no verb %.40s", request->verb);
}
