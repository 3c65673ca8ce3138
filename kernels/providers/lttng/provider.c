// SPDX-License-Identifier: MIT
/*
 * Calls LTTng-UST as an instrumented program does: a tracepoint in a loop, the library as it is
 * shipped.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "event.h"

#include <lttng/ust-getcpu.h>

#include "provider_lttng.h"

static void emit(unsigned long events, uint32_t value)
{
	for (; events; events--)
		lttng_ust_tracepoint(rseqbench, event, value);
}

/*
 * How often LTTng records each event: every session that has it on, of any daemon, calls a probe of
 * its own.
 */
static uint32_t recorders(void)
{
	const struct lttng_ust_tracepoint_probe *probe;
	uint32_t count = 0;

	if (!LTTNG_UST_TP_RCU_LINK_TEST())
		return 0;
	lttng_ust_tp_rcu_read_lock();
	for (probe = lttng_ust_tp_rcu_dereference(lttng_ust_tracepoint_rseqbench___event.probes);
	     probe && probe->func; probe++)
		count++;
	lttng_ust_tp_rcu_read_unlock();
	return count;
}

static void tell(uint32_t method, uint32_t number, uint32_t proved, uint64_t emitted)
{
	lttng_ust_tracepoint(rseqbench, told, method, number, proved, emitted, recorders());
}

static int enabled(void)
{
	return lttng_ust_tracepoint_enabled(rseqbench, event) &&
	       lttng_ust_tracepoint_enabled(rseqbench, told);
}

extern const struct provider_lttng provider_lttng;
const struct provider_lttng provider_lttng = {
	.emit = emit,
	.tell = tell,
	.enabled = enabled,
	.override = lttng_ust_getcpu_override,
};
