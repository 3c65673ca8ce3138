// SPDX-License-Identifier: MIT
/* A program of four instructions a loop, for counting: loop LOOPS [fork|fail|crash|hang|echo]. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	const char *then = argc > 2 ? argv[2] : "";
	unsigned long loops = strtoul(argv[1], NULL, 10);

	if (!strcmp(then, "fork")) {
		if (!fork())
			_exit(0);
		wait(NULL);
	}
	for (; loops; loops--)
		__asm__ volatile("nop\n\tnop");
	if (!strcmp(then, "echo"))
		for (int c; (c = getchar()) != EOF;)
			putchar(c);
	if (!strcmp(then, "fail")) {
		fputs("no luck\n", stderr);
		return 3;
	}
	if (!strcmp(then, "crash"))
		raise(SIGSEGV);
	while (!strcmp(then, "hang"))
		pause();
	puts("done");
	return 0;
}
