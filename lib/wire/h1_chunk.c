/* Chunk borders (RFC 9112 7.1). Sizes have no sign, no "0x", no space behind; lines end in CRLF. */
#include "base/err.h"
#include "wire/chars.h"
#include "wire/h1.h"

#define DIGITS_MAX 15       /* 60 bits */
#define EXT_MAX (16u << 10) /* of extensions in one body, which nobody reads */

enum state { SIZE, BEFORE_EXT, EXT_START, EXT, SIZE_LF, DATA, DATA_CR, DATA_LF };

void ss_h1_chunk_init(struct ss_h1_chunk *c)
{
	*c = (struct ss_h1_chunk){ .state = SIZE };
}

static int refuse(struct ss_h1_chunk *c, enum ss_h1_why why)
{
	c->why = (uint8_t)why;
	return SS_ERR_BAD_CONN;
}

/* left collects the size while the line lasts. */
static int size_byte(struct ss_h1_chunk *c, uint8_t b)
{
	if (ss_ch(b, SS_CH_HEX)) {
		if (++c->digits > DIGITS_MAX)
			return refuse(c, SS_H1_WHY_CHUNK_SIZE);
		c->left = c->left << 4 | ss_hex_value(b);
		return 0;
	}
	if (c->digits == 0)
		return refuse(c, SS_H1_WHY_CHUNK_SIZE);
	if (b == ';')
		c->state = EXT_START;
	else if (b == '\r')
		c->state = SIZE_LF;
	else if (b == ' ' || b == '\t')
		c->state = BEFORE_EXT;
	else
		return refuse(c, SS_H1_WHY_CHUNK_SIZE);
	return 0;
}

static int ext_byte(struct ss_h1_chunk *c, uint8_t b)
{
	if (++c->ext > EXT_MAX)
		return refuse(c, SS_H1_WHY_CHUNK_EXT);
	/* 7.1.1: white space after the size belongs to an extension, or to nothing. */
	if (c->state == BEFORE_EXT && b != ';' && b != ' ' && b != '\t')
		return refuse(c, SS_H1_WHY_CHUNK_SIZE);
	if (c->state == EXT_START && (b == '\r' || b == ';'))
		return refuse(c, SS_H1_WHY_CHUNK_EXT);
	if (b == ';')
		c->state = EXT_START;
	else if (b == '\r')
		c->state = SIZE_LF;
	else if ((b < 0x20 && b != '\t') || b == 0x7f)
		return refuse(c, b == '\n' ? SS_H1_WHY_BARE_LF : SS_H1_WHY_CHUNK_EXT);
	else if (c->state == EXT_START && b != ' ' && b != '\t')
		c->state = EXT;
	return 0;
}

static int framing_byte(struct ss_h1_chunk *c, uint8_t b)
{
	switch (c->state) {
	case SIZE:
		return size_byte(c, b);
	case BEFORE_EXT:
	case EXT_START:
	case EXT:
		return ext_byte(c, b);
	case SIZE_LF:
		if (b != '\n')
			return refuse(c, SS_H1_WHY_BARE_CR);
		c->last = c->left == 0;
		c->state = DATA;
		return 0;
	case DATA_CR:
		if (b != '\r')
			return refuse(c, SS_H1_WHY_CHUNK_END);
		c->state = DATA_LF;
		return 0;
	default: /* DATA_LF */
		if (b != '\n')
			return refuse(c, SS_H1_WHY_CHUNK_END);
		c->state = SIZE;
		c->digits = 0;
		return 0;
	}
}

int ss_h1_chunk(struct ss_h1_chunk *c, const uint8_t *p, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && c->state != DATA) {
		int err = framing_byte(c, p[i++]);
		if (err < 0)
			return err;
	}
	return (int)i;
}

uint64_t ss_h1_chunk_data(const struct ss_h1_chunk *c)
{
	return c->state == DATA ? c->left : 0;
}

void ss_h1_chunk_took(struct ss_h1_chunk *c, uint32_t n)
{
	c->left -= n;
	if (c->left == 0)
		c->state = DATA_CR;
}
