/* SPDX-License-Identifier: MIT */
/* The patch's event: a 32-bit header, which is LTTng's compact one, and a 32-bit payload. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER rseqbench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "../providers/lttng/event.h"

#if !defined(EVENT_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define EVENT_H

#include <stdint.h>

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(rseqbench, event, LTTNG_UST_TP_ARGS(uint32_t, value),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint32_t, value, value)))

#endif

#include <lttng/tracepoint-event.h>
