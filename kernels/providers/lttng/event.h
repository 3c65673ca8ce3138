/* SPDX-License-Identifier: MIT */
/*
 * The patch's event has a header of 32 bits and a payload of 32 bits. The payload is as wide here;
 * the header is not for a program to choose: the session daemons of LTTng 2.13 let per-user buffers
 * have the large one, of 48 bits.
 */
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

LTTNG_UST_TRACEPOINT_EVENT(
	rseqbench, told,
	LTTNG_UST_TP_ARGS(uint32_t, method, uint32_t, number, uint32_t, proved, uint64_t, emitted,
			  uint32_t, recorders),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, method,
					method) lttng_ust_field_integer(uint32_t, number, number)
			lttng_ust_field_integer(uint32_t, proved, proved)
				lttng_ust_field_integer(uint64_t, emitted, emitted)
					lttng_ust_field_integer(uint32_t, recorders, recorders)))

#endif

#include <lttng/tracepoint-event.h>
