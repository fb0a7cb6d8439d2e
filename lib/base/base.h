/*
 * base.h - the compiler words everyone speaks.
 *
 * Takes:   nothing.
 * Gives:   attributes, container_of, min/max, compile-time sizes.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_BASE_H
#define SS_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ss_likely(x) __builtin_expect(!!(x), 1)
#define ss_unlikely(x) __builtin_expect(!!(x), 0)
#define SS_UNUSED __attribute__((unused))
#define SS_NODISCARD __attribute__((warn_unused_result))
#define SS_PRINTF(a, b) __attribute__((format(printf, a, b)))
#define SS_CACHE_LINE 64
#define SS_CACHE_ALIGNED __attribute__((aligned(SS_CACHE_LINE)))

#define ss_container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define SS_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Most workers one process may run; sizes the per-worker arrays of the contract. */
#define SS_MAX_WORKERS 16

#define SS_NS_PER_US 1000ull
#define SS_NS_PER_MS 1000000ull
#define SS_NS_PER_SEC 1000000000ull
/* "No deadline": later than every time a clock can give. */
#define SS_NEVER UINT64_MAX

static inline uint32_t ss_min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t ss_max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static inline uint64_t ss_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t ss_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

#endif
