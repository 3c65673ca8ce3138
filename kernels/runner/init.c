// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "serve.h"

/* The virtio port's name. */
#define PORT "rseqbench"
#define PORTS "/sys/class/virtio-ports"
#define MODULES "/modules"
/* For the port to appear, and then for the host to open its end. */
#define PATIENCE_MS 30000
#define STEP_MS 20

static void log_to_console(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One line for the host to find at the end of the console, by whichever way there is. */
static void log_to_console(const char *format, ...)
{
	static const char *const paths[] = { "/dev/kmsg", "/dev/console" };
	va_list arguments;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_WRONLY | O_NOCTTY | O_CLOEXEC);

		if (fd < 0)
			continue;
		va_start(arguments, format);
		log_to(fd, format, arguments);
		va_end(arguments);
		close(fd);
	}
}

static bool mount_all(void)
{
	static const struct {
		const char *type, *where;
	} mounts[] = { { "devtmpfs", "/dev" },
		       { "proc", "/proc" },
		       { "sysfs", "/sys" },
		       { "tmpfs", "/tmp" } };
	bool done = true;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].where, 0755);
		if (mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL) &&
		    errno != EBUSY) {
			log_to_console("cannot mount %s: %s", mounts[i].where, strerror(errno));
			done = false;
		}
	}
	return done;
}

static bool load_module(const char *name)
{
	char path[PATH_MAX];
	bool loaded;
	int fd;

	snprintf(path, sizeof(path), MODULES "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	loaded = fd >= 0 && (!syscall(SYS_finit_module, fd, "", 0) || errno == EEXIST);
	if (!loaded)
		log_to_console("cannot load %s: %s", path,
			       fd >= 0 && errno == ENOENT
				       ? "it needs a module that comes later, or never"
				       : strerror(errno));
	if (fd >= 0)
		close(fd);
	return loaded;
}

/* Load what the image lists; a Linux that has everything built in comes without a list. */
static bool load_modules(void)
{
	FILE *list = fopen(MODULES "/order", "re");
	char name[NAME_MAX + 1];
	bool loaded = true;

	if (!list) {
		if (errno != ENOENT)
			log_to_console("cannot read " MODULES "/order: %s", strerror(errno));
		return errno == ENOENT;
	}
	while (loaded && fgets(name, sizeof(name), list)) {
		name[strcspn(name, "\n")] = '\0';
		loaded = !*name || load_module(name);
	}
	fclose(list);
	return loaded;
}

static bool is_our_port(const char *port)
{
	char path[PATH_MAX], name[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), PORTS "/%s/name", port);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(name, sizeof(name), file))
		name[0] = '\0';
	fclose(file);
	name[strcspn(name, "\n")] = '\0';
	return !strcmp(name, PORT);
}

/* Look for the port of our name; false when there is none (yet). */
static bool find_port(char device[PATH_MAX])
{
	DIR *ports = opendir(PORTS);
	struct dirent *entry;
	bool found = false;

	if (!ports)
		return false;
	while (!found && (entry = readdir(ports))) {
		found = is_our_port(entry->d_name);
		if (found)
			snprintf(device, PATH_MAX, "/dev/%s", entry->d_name);
	}
	closedir(ports);
	return found;
}

/* Reading ends at once while the host has not opened its end, so wait until it has. */
static bool is_host_there(const char *device)
{
	struct pollfd port = { .fd = open(device, O_RDWR | O_CLOEXEC) };
	bool there = port.fd >= 0 && poll(&port, 1, 0) >= 0 && !(port.revents & POLLHUP);

	if (port.fd >= 0)
		close(port.fd);
	return there;
}

bool serve_port(void)
{
	char device[PATH_MAX] = "";

	for (int waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
		if ((*device || find_port(device)) && is_host_there(device)) {
			serve_device(device, true);
			return true;
		}
		sleep_ns(STEP_MS * 1000000l);
	}
	if (*device)
		log_to_console("the host did not open the virtio port " PORT " within %d s",
			       PATIENCE_MS / 1000);
	else
		log_to_console("no virtio port named " PORT);
	return false;
}

void run_as_init(void)
{
	if (mount_all() && load_modules())
		serve_port();
	sync();
	reboot(RB_POWER_OFF);
	log_to_console("cannot power off: %s", strerror(errno));
}
