// SPDX-License-Identifier: MIT
/*
 * linux: what rseq may cost the rest of the system. Nothing here uses rseq; Linux looks at it on
 * every way to a new task, to a signal handler and back to user space, whether a thread has
 * registered or not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "benchmark.h"
#include "partner.h"
#include "registration.h"

extern char **environ;
/*
 * The name under which the static runner does nothing; other programs that hold the benchmarks have
 * no such thing.
 */
extern const char runner_nothing[] __attribute__((weak));

#define SLOW (ENTERS_LINUX | TAKES_LONG)

/* ---- new tasks ---- */

static bool ended_well(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void run_fork_exit(struct thread *self, unsigned long loops)
{
	for (; loops; loops--) {
		pid_t child = fork();

		if (!child)
			_exit(0);
		self->failures += child < 0 || !ended_well(child);
	}
}

BENCHMARK(linux_fork_exit, .name = "linux/fork_exit", .doc = "fork, exit of the child, wait for it",
	  .flags = SLOW | SWITCHES, .run = run_fork_exit);

static const char *needs_runner(void)
{
	return runner_nothing
		       ? NULL
		       : "executes the static runner, which this process is not: --target runner";
}

static void run_fork_exec_exit(struct thread *self, unsigned long loops)
{
	char *arguments[] = { (char *)(unsigned long)runner_nothing, NULL };

	for (; loops; loops--) {
		pid_t child = fork();

		if (!child) {
			execve("/proc/self/exe", arguments, environ);
			_exit(127);
		}
		self->failures += child < 0 || !ended_well(child);
	}
}

BENCHMARK(linux_fork_exec_exit, .name = "linux/fork_exec_exit",
	  .doc = "fork, exec of a static program, its exit, wait for it", .flags = SLOW | SWITCHES,
	  .unavailable = needs_runner, .run = run_fork_exec_exit);

/* A thread registers as the others of its process have: the C library does so by itself. */
static void *do_nothing(void *argument)
{
	registration_enter();
	registration_leave();
	return argument;
}

static void run_thread(struct thread *self, unsigned long loops)
{
	for (; loops; loops--) {
		pthread_t thread;

		self->failures += pthread_create(&thread, NULL, do_nothing, NULL) ||
				  pthread_join(thread, NULL);
	}
}

BENCHMARK(linux_thread, .name = "linux/thread",
	  .doc = "create a thread that ends at once, and join it", .flags = SLOW | SWITCHES,
	  .run = run_thread);

/* ---- context switches ---- */

static struct partner beside_us, elsewhere, first;

static __always_inline void loop_pipe(struct partner *partner, struct thread *self,
				      unsigned long loops, bool same_cpu)
{
	unsigned char byte;

	partner_place(partner, same_cpu);
	for (; loops; loops--) {
		byte = (unsigned char)loops;
		self->failures += write(partner->to, &byte, 1) != 1 ||
				  read(partner->from, &byte, 1) != 1 ||
				  byte != (unsigned char)loops;
	}
}

static int pipe_one_setup(const struct setup *setup)
{
	(void)setup;
	return partner_open(&beside_us, true, false);
}

static void run_pipe_one_cpu(struct thread *self, unsigned long loops)
{
	loop_pipe(&beside_us, self, loops, true);
}

static void pipe_one_teardown(void)
{
	partner_close(&beside_us);
}

BENCHMARK(linux_pipe_one_cpu, .name = "linux/pipe_one_cpu",
	  .doc = "a byte to another process on the same CPU and back: two switches",
	  .flags = SLOW | SWITCHES, .setup = pipe_one_setup, .run = run_pipe_one_cpu,
	  .teardown = pipe_one_teardown);

static const char *needs_two_cpus(void)
{
	return partner_cpus() > 1 ? NULL : "needs two CPUs, and there is one";
}

static int pipe_two_setup(const struct setup *setup)
{
	(void)setup;
	return partner_open(&elsewhere, true, false);
}

static void run_pipe_two_cpus(struct thread *self, unsigned long loops)
{
	loop_pipe(&elsewhere, self, loops, false);
}

static void pipe_two_teardown(void)
{
	partner_close(&elsewhere);
}

BENCHMARK(linux_pipe_two_cpus, .name = "linux/pipe_two_cpus",
	  .doc = "a byte to another process on another CPU and back", .flags = SLOW | SWITCHES,
	  .unavailable = needs_two_cpus, .setup = pipe_two_setup, .run = run_pipe_two_cpus,
	  .teardown = pipe_two_teardown);

/* ---- a loop that is preempted ---- */

/* moved from CPU to CPU, we leave the partner behind, and it need not preempt us */
static bool checked;
static uint64_t woken;

static const char *needs_real_time(void)
{
	return partner_may_be_first()
		       ? NULL
		       : "needs the right to real-time priority: root, or ulimit -r 1";
}

static int preempted_setup(const struct setup *setup)
{
	checked = setup->check;
	woken = 0;
	return partner_open(&first, false, true);
}

/*
 * The partner comes before us, so Linux switches to it in the middle of our write(), which is no
 * way of ours to give up the CPU; when it waits for more, we are switched back to. It has taken the
 * byte before write() returns.
 */
static void run_preempted(struct thread *self, unsigned long loops)
{
	const unsigned char byte = 0;

	partner_place(&first, true);
	for (; loops; loops--) {
		self->failures += write(first.to, &byte, 1) != 1;
		self->failures += ++woken != *first.answered && !checked;
	}
}

static const char *preempted_verify(uint64_t operations)
{
	uint64_t answered = partner_answered(&first, operations);

	return answered == operations
		       ? NULL
		       : complain("%llu of %llu bytes were taken", (unsigned long long)answered,
				  (unsigned long long)operations);
}

static void preempted_teardown(void)
{
	partner_close(&first);
}

BENCHMARK(linux_preempted, .name = "linux/preempted",
	  .doc = "preempted by a real-time process that is woken on the same CPU: two switches",
	  .flags = SLOW | SWITCHES, .unavailable = needs_real_time, .setup = preempted_setup,
	  .run = run_preempted, .verify = preempted_verify, .teardown = preempted_teardown);

/* ---- without a switch ---- */

static struct sigaction before;
static __thread volatile unsigned long handled;

static void handle(int number)
{
	(void)number;
	handled++;
}

static int signal_setup(const struct setup *setup)
{
	const struct sigaction action = { .sa_handler = handle };

	(void)setup;
	return sigaction(SIGUSR2, &action, &before) ? errno : 0;
}

static void run_signal(struct thread *self, unsigned long loops)
{
	pid_t process = getpid(), thread = (pid_t)syscall(SYS_gettid);
	unsigned long wanted = handled + loops;

	for (; loops; loops--)
		syscall(SYS_tgkill, process, thread, SIGUSR2);
	self->failures += handled != wanted;
}

static void signal_teardown(void)
{
	sigaction(SIGUSR2, &before, NULL);
}

BENCHMARK(linux_signal, .name = "linux/signal",
	  .doc = "a signal to oneself, handled and returned from",
	  .flags = ENTERS_LINUX | TAKES_LONG, .setup = signal_setup, .run = run_signal,
	  .teardown = signal_teardown);

/*
 * There is none that yields to somebody: whether Linux then switches is its scheduler's own affair
 * (6.1 did not once in 2000 calls), but between two of real-time priority, and to become that and
 * back would be part of each run's time.
 */
static void run_yield(struct thread *self, unsigned long loops)
{
	for (; loops; loops--)
		self->failures += sched_yield() != 0;
}

BENCHMARK(linux_yield, .name = "linux/yield", .doc = "sched_yield() with nobody to yield to",
	  .flags = ENTERS_LINUX, .run = run_yield);
