// SPDX-License-Identifier: MIT
/* An init for the tests of a guest: loads the modules, opens the port, and answers what it is asked, line by line. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

static void load_modules(void)
{
	char name[128], path[160];
	FILE *order = fopen("/modules/order", "r");

	while (order && fscanf(order, "%127s", name) == 1) {
		snprintf(path, sizeof(path), "/modules/%s", name);
		if (syscall(SYS_finit_module, open(path, O_RDONLY | O_CLOEXEC), "", 0))
			printf("echo init: cannot load %s: %m\n", name);
	}
}

/* Return the device of the port with this name, or NULL while there is none. */
static const char *find_port(const char *wanted)
{
	static char device[300];
	char path[320], name[64];
	struct dirent *entry;
	DIR *folder = opendir("/sys/class/virtio-ports");

	while (folder && (entry = readdir(folder))) {
		FILE *file;

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fscanf(file, "%63s", name) == 1 && !strcmp(name, wanted)) {
			snprintf(device, sizeof(device), "/dev/%s", entry->d_name);
			return device;
		}
		fclose(file);
	}
	if (folder)
		closedir(folder);
	return NULL;
}

/* Return the nanoseconds of guest time that an empty loop of two or more instructions takes. */
static long long spin(unsigned long loops)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
#if defined(__arm__)
	__asm__ volatile("1: subs %0, %0, #1\n\tbne 1b" : "+r"(loops) : : "cc");
#elif defined(__aarch64__)
	__asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(loops) : : "cc");
#else
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(loops) : : "cc");
#endif
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec;
}

static long long getcpus(unsigned long loops)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (; loops; loops--)
		syscall(SYS_getcpu, NULL, NULL, NULL);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (to.tv_sec - from.tv_sec) * 1000000000LL + to.tv_nsec - from.tv_nsec;
}

static void answer(FILE *out, const char *line)
{
	struct utsname name;

	if (!strncmp(line, "spin ", 5)) {
		fprintf(out, "%lld\n", spin(strtoul(line + 5, NULL, 10)));
	} else if (!strncmp(line, "getcpu ", 7)) {
		fprintf(out, "%lld\n", getcpus(strtoul(line + 7, NULL, 10)));
	} else if (!strcmp(line, "cpus\n")) {
		fprintf(out, "%ld\n", sysconf(_SC_NPROCESSORS_ONLN));
	} else if (!strcmp(line, "release\n") && !uname(&name)) {
		fprintf(out, "%s\n", name.release);
	} else if (!strncmp(line, "env ", 4)) {
		const char *value = getenv(strtok((char *)line + 4, "\n"));

		fprintf(out, "%s\n", value ? value : "");
	} else if (!strcmp(line, "panic\n")) {
		exit(3);
	} else if (!strcmp(line, "off\n")) {
		reboot(RB_POWER_OFF);
	} else {
		fputs(line, out);
	}
}

int main(void)
{
	const char *mode = getenv("ECHO_INIT");
	const char *port;
	char line[256];
	FILE *in, *out;
	int stream;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	if (mode && !strcmp(mode, "off")) {
		puts("echo init: switching off");
		reboot(RB_POWER_OFF);
	}
	if (mode && !strcmp(mode, "exit"))
		return 3;
	if (mode && !strcmp(mode, "hang")) {
		puts("echo init: hanging");
		for (;;)
			pause();
	}
	load_modules();
	while (!(port = find_port("rseqbench")))
		usleep(1000);
	stream = open(port, O_RDWR); /* once: a port lets nobody else in */
	in = fdopen(stream, "r");
	out = fdopen(dup(stream), "w");
	if (!in || !out) {
		printf("echo init: cannot open %s: %m\n", port);
		return 4;
	}
	setvbuf(out, NULL, _IOLBF, 0);
	fputs("ready\nfor more\n", out);
	while (fgets(line, sizeof(line), in))
		answer(out, line);
	return 5;
}
