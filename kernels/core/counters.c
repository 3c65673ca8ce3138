// SPDX-License-Identifier: MIT
#include "counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint64_t counter_events[COUNTERS] = {
	PERF_COUNT_HW_INSTRUCTIONS,
	PERF_COUNT_HW_CPU_CYCLES,
	PERF_COUNT_HW_BRANCH_MISSES,
};

static int counter_fds[COUNTERS] = { -1, -1, -1 };

static int open_counter(uint64_t event, int leader)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = event,
		.read_format = PERF_FORMAT_GROUP,
		.disabled = leader < 0,
		.pinned = leader <
			  /*
			   * counted all the time, or an error: never a share scaled up, never a
			   * silent zero
			   */
			  0,
		/* all that an unprivileged user may count, and all that a benchmark executes */
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, leader, PERF_FLAG_FD_CLOEXEC);
}

static const char *explain_errno(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case EOPNOTSUPP:
		return "not available here: no PMU, as in most virtual machines";
	case EACCES:
	case EPERM:
		return "not available here: perf_event_paranoid or a sandbox forbids it";
	case ENOSYS:
		return "not available here: Linux without CONFIG_PERF_EVENTS";
	default:
		return strerror(error);
	}
}

void counters_read(const struct counters *counters, uint64_t values[COUNTERS])
{
	struct {
		uint64_t count;
		uint64_t values[COUNTERS];
	} group;

	memset(values, 0, COUNTERS * sizeof(*values));
	if (counters->leader >= 0 && read(counters->leader, &group, sizeof(group)) == sizeof(group))
		memcpy(values, group.values, sizeof(group.values));
}

void counters_open(struct counters *counters)
{
	uint64_t values[COUNTERS];

	counters->leader = -1;
	counters->missing = NULL;
	for (int i = 0; i < COUNTERS; i++) {
		counter_fds[i] = open_counter(counter_events[i], i ? counter_fds[0] : -1);
		if (counter_fds[i] < 0) {
			counters->missing = explain_errno(errno);
			counters_close(counters);
			return;
		}
	}
	counters->leader = counter_fds[0];
	ioctl(counter_fds[0], PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP);
	/*
	 * A pinned group that finds no room in the PMU opens all the same, and reads as the end of
	 * a file.
	 */
	counters_read(counters, values);
	if (!values[0]) {
		counters->missing = "not available here: others hold the CPU's counters";
		counters_close(counters);
	}
}

void counters_close(struct counters *counters)
{
	for (int i = 0; i < COUNTERS; i++) {
		if (counter_fds[i] >= 0)
			close(counter_fds[i]);
		counter_fds[i] = -1;
	}
	counters->leader = -1;
}
