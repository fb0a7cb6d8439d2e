/*
 * lower.h - lower-case string constants out of the upper-case names of an X-macro list.
 *
 * Takes:   a string literal of at most SS_LOWER_MAX - 1 characters.
 * Gives:   an initialiser for a char[SS_LOWER_MAX]; the compiler folds it, nothing runs.
 * Owns:    nothing.
 * Thread:  any.
 */
#ifndef SS_LOWER_H
#define SS_LOWER_H

#define SS_LOWER_MAX 32
#define SS_LOWER_C(c) ((c) >= 'A' && (c) <= 'Z' ? (char)((c) | 0x20) : (char)(c))
#define SS_LOWER_1(s, i) SS_LOWER_C((s)[(i) < sizeof(s) ? (i) : sizeof(s) - 1])
#define SS_LOWER_4(s, i) SS_LOWER_1(s, i), SS_LOWER_1(s, i + 1), SS_LOWER_1(s, i + 2), SS_LOWER_1(s, i + 3)
#define SS_LOWER_16(s, i) \
	SS_LOWER_4(s, i), SS_LOWER_4(s, i + 4), SS_LOWER_4(s, i + 8), SS_LOWER_4(s, i + 12)
#define SS_LOWER(s) { SS_LOWER_16(s, 0), SS_LOWER_16(s, 16) }

#endif
