// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "partner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "cpus.h"

#define PATIENCE_MS 1000

static cpu_mask initial_cpus;

__attribute__((constructor)) static void remember_initial_cpus(void)
{
	sched_getaffinity(0, sizeof(initial_cpus), initial_cpus);
}

int partner_cpus(void)
{
	return CPU_COUNT_S(sizeof(initial_cpus), initial_cpus);
}

/*
 * What the partner does for its whole life. Only calls that are safe in a child of a process with
 * threads.
 */
static void partner_serve(int in, int out, volatile uint64_t *answered)
{
	unsigned char byte;

	while (read(in, &byte, 1) == 1) {
		++*answered;
		if (out >= 0 && write(out, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

static bool become_real_time(void)
{
	const struct sched_param first = { .sched_priority = 1 };

	return !sched_setscheduler(0, SCHED_FIFO, &first);
}

/*
 * Tried in a process of its own: capabilities, limits, seccomp and control groups all have a say in
 * it.
 */
bool partner_may_be_first(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(!become_real_time());
	if (child < 0)
		return false;
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void partner_main(pid_t parent, const int to[2], const int from[2], bool answers,
			 bool real_time, volatile uint64_t *answered)
{
	unsigned char why = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (real_time && !become_real_time())
		why = (unsigned char)errno;
	close(to[1]);
	close(from[0]);
	/* ready, or why not; if nobody reads it, the next read ends */
	(void)!write(from[1], &why, 1);
	if (why)
		_exit(1);
	partner_serve(to[0], answers ? from[1] : -1, answered);
}

int partner_open(struct partner *partner, bool answers, bool real_time)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };
	pid_t parent = getpid();
	unsigned char why = 0;
	int error;

	*partner = (struct partner){ .to = -1, .from = -1 };
	partner->answered = mmap(NULL, sizeof(*partner->answered), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (partner->answered == MAP_FAILED) {
		partner->answered = NULL;
		return ENOMEM;
	}
	partner->pid = pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) ? -1 : fork();
	error = errno;
	if (!partner->pid)
		partner_main(parent, to, from, answers, real_time, partner->answered);
	close(to[0]);
	close(from[1]);
	partner->to = to[1];
	partner->from = from[0];
	if (partner->pid > 0)
		error = read(partner->from, &why, 1) == 1 ? why : ECHILD;
	if (error || partner->pid < 0)
		partner_close(partner);
	return error;
}

/*
 * The first CPU of those we began with that is, or is not, the one we are on; -1 where there is
 * none.
 */
static int choose_cpu(bool same_cpu)
{
	int here = sched_getcpu();

	if (same_cpu)
		return here;
	for (int cpu = 0; cpu < MAX_CPUS; cpu++)
		if (cpu != here && CPU_ISSET_S(cpu, sizeof(initial_cpus), initial_cpus))
			return cpu;
	return -1;
}

void partner_place(struct partner *partner, bool same_cpu)
{
	int cpu = choose_cpu(same_cpu);
	cpu_mask target;

	if (partner->placed || cpu < 0)
		return;
	CPU_ZERO_S(sizeof(target), target);
	CPU_SET_S(cpu, sizeof(target), target);
	partner->placed = !sched_setaffinity(partner->pid, sizeof(target), target);
}

uint64_t partner_answered(const struct partner *partner, uint64_t wanted)
{
	for (int waited = 0; *partner->answered < wanted && waited < PATIENCE_MS; waited++)
		sleep_ns(1000000);
	return *partner->answered;
}

void partner_close(struct partner *partner)
{
	if (partner->to >= 0)
		close(partner->to);
	if (partner->from >= 0)
		close(partner->from);
	if (partner->pid > 0) {
		kill(partner->pid, SIGKILL);
		while (waitpid(partner->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	if (partner->answered)
		munmap((void *)partner->answered, sizeof(*partner->answered));
	*partner = (struct partner){ .to = -1, .from = -1 };
}
