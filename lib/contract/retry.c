#include "contract/retry.h"

static const struct {
	uint32_t bit;
	const char *word;
} words[] = {
#define SS_RETRY_X(name, bit, word) { 1u << bit, word },
	SS_RETRY_LIST(SS_RETRY_X)
#undef SS_RETRY_X
};

uint32_t ss_retry_condition(struct ss_span name)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(words); i++)
		if (ss_span_eq(name, ss_span_str(words[i].word)))
			return words[i].bit;
	return ss_span_eq(name, SS_SPAN("connect-error")) ? SS_RETRY_CONNECT_FAILURE : 0;
}

const char *ss_retry_word(uint32_t bit)
{
	for (size_t i = 0; i < SS_ARRAY_LEN(words); i++)
		if (words[i].bit == bit)
			return words[i].word;
	return "";
}
