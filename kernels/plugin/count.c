// SPDX-License-Identifier: MIT
/*
 * A plugin of qemu-user: counts the instructions that the emulated program executes, and when it
 * ends writes "PID INSTRUCTIONS\n" to the file descriptor that its argument fd=N names.
 *
 * Exact for a program of one thread: qemu adds without a lock. What Linux executes for it is not
 * seen.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What we use of version 1 of qemu's interface for plugins; Debian has no header of it. */
#define ADD_U64 0
struct qemu_info;
struct qemu_plugin_tb;
typedef uint64_t qemu_plugin_id_t;

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
					   void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int op, void *at,
					      uint64_t value);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, void *),
				    void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

static uint64_t executed;
static int answer = -1;

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
	(void)id;
	qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &executed,
						 qemu_plugin_tb_n_insns(block));
}

static void program_ended(qemu_plugin_id_t id, void *data)
{
	(void)id;
	(void)data;
	dprintf(answer, "%ld %llu\n", (long)getpid(), (unsigned long long)executed);
}

__attribute__((visibility("default"))) int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "fd=", 3))
		return -1;
	answer = atoi(argv[0] + 3);
	qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
	qemu_plugin_register_atexit_cb(id, program_ended, NULL);
	return 0;
}
