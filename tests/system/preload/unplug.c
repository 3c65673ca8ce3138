// SPDX-License-Identifier: MIT
/*
 * The init of a guest whose second CPU comes and goes, statically linked: what this does to the machine, it does to
 * nobody else's. It runs programs under the pools and says on the console how each one ended.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#define ONLINE "/sys/devices/system/cpu/cpu1/online"

static int set_online(const char *digit)
{
	int fd = open(ONLINE, O_WRONLY), done = fd < 0 ? -1 : write(fd, digit, 1);

	close(fd);
	return done == 1;
}

static void run(const char *method, char *const command[])
{
	pid_t child = fork();
	int status;

	if (!child) {
		setenv("LD_PRELOAD", "/lib/libpools.so", 1);
		setenv("RSEQBENCH_POOLS", method, 1);
		execv(command[0], command);
		_exit(127);
	}
	waitpid(child, &status, 0);
	printf("ran %s %s status=%d\n", method, command[0], status);
	fflush(stdout);
}

static pid_t come_and_go(unsigned long *changes)
{
	pid_t child = fork();

	if (child)
		return child;
	for (;;) {
		*changes += set_online("0");
		usleep(20000);
		*changes += set_online("1");
		usleep(20000);
	}
}

int main(void)
{
	static char *const parked[] = { "/parked", NULL }, *const crowd[] = { "/crowd", "8",	 "100000",
									      "moves",	"trims", NULL };
	unsigned long *changes =
		mmap(NULL, sizeof(*changes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static const char *const methods[] = { "rseq", "vdso_lock" };
	pid_t child;

	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/sys", "sysfs", 0, NULL);
	for (int i = 0; i < 2; i++)
		run(methods[i], parked);
	child = come_and_go(changes);
	for (int i = 0; i < 2; i++)
		run(methods[i], crowd);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	printf("changes=%lu\n", *changes);
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 0;
}
