// SPDX-License-Identifier: MIT
/* `google BENCHMARK... [--benchmark_*]`: the benchmarks under google/benchmark, its loop around batches of operations. */
#include <benchmark/benchmark.h>

#include "shim.h"

/* A call of a benchmark does a thousand operations, so that neither the call nor the tool's own loop shows. */
static const int operations = 1000;

static void time_benchmark(benchmark::State &state, const char *name)
{
	const char *refused = shim_open(name);

	if (refused) {
		state.SkipWithError(refused);
		return;
	}
	while (state.KeepRunningBatch(operations))
		shim_run(operations);
	shim_close();
}

int main(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv); /* takes its own options out of argv */
	for (int i = 1; i < argc; i++)
		benchmark::RegisterBenchmark(argv[i], time_benchmark, argv[i]);
	benchmark::RunSpecifiedBenchmarks();
	return 0;
}
