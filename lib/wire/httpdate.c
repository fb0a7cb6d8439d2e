#include "wire/httpdate.h"

#include <string.h>

#define DAY_S 86400ull

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char *const days[7] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

/* What is left of the value. After a mismatch `ok` is false, and nothing more is taken. */
struct rest {
	struct ss_span v;
	bool ok;
};

static bool take(struct rest *r, const char *text)
{
	uint32_t n = (uint32_t)strlen(text);

	r->ok = r->ok && r->v.n >= n && !memcmp(r->v.p, text, n);
	if (r->ok)
		r->v = ss_span(r->v.p + n, r->v.n - n);
	return r->ok;
}

/* Exactly n digits. */
static uint32_t digits(struct rest *r, uint32_t n)
{
	uint32_t out = 0;

	r->ok = r->ok && r->v.n >= n;
	for (uint32_t i = 0; r->ok && i < n; i++) {
		r->ok = r->v.p[i] >= '0' && r->v.p[i] <= '9';
		out = out * 10 + (r->v.p[i] - '0');
	}
	if (r->ok)
		r->v = ss_span(r->v.p + n, r->v.n - n);
	return out;
}

/* 0 to 11. */
static uint32_t month(struct rest *r)
{
	for (uint32_t i = 0; r->ok && i < 12; i++)
		if (r->v.n >= 3 && !memcmp(r->v.p, months[i], 3)) {
			take(r, months[i]);
			return i;
		}
	r->ok = false;
	return 0;
}

struct date {
	uint32_t year, month, day, hour, minute, second; /* month from 0 */
};

static void time_of_day(struct rest *r, struct date *d)
{
	d->hour = digits(r, 2);
	take(r, ":");
	d->minute = digits(r, 2);
	take(r, ":");
	d->second = digits(r, 2);
}

/* " 06 Nov 1994 08:49:37 GMT", after "Sun," */
static void fixdate(struct rest *r, struct date *d)
{
	take(r, " ");
	d->day = digits(r, 2);
	take(r, " ");
	d->month = month(r);
	take(r, " ");
	d->year = digits(r, 4);
	take(r, " ");
	time_of_day(r, d);
	take(r, " GMT");
}

/* " 06-Nov-94 08:49:37 GMT", after "Sunday,": the last two digits of a year. */
static void rfc850(struct rest *r, struct date *d)
{
	take(r, " ");
	d->day = digits(r, 2);
	take(r, "-");
	d->month = month(r);
	take(r, "-");
	d->year = digits(r, 2);
	take(r, " ");
	time_of_day(r, d);
	take(r, " GMT");
}

/* " Nov  6 08:49:37 1994", after "Sun": a day of one digit has a space before it. */
static void asctime_date(struct rest *r, struct date *d)
{
	take(r, " ");
	d->month = month(r);
	take(r, " ");
	d->day = r->v.n && r->v.p[0] == ' ' ? (take(r, " "), digits(r, 1)) : digits(r, 2);
	take(r, " ");
	time_of_day(r, d);
	take(r, " ");
	d->year = digits(r, 4);
}

static bool leap(uint32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t month_days(uint32_t year, uint32_t m)
{
	static const uint8_t n[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return n[m] + (m == 1 && leap(year));
}

/* Days of all years before this one. */
static uint64_t days_before(uint32_t year)
{
	uint64_t y = year ? year - 1 : 0;

	return 365 * y + y / 4 - y / 100 + y / 400;
}

static bool is_date(const struct date *d)
{
	/* A leap second may be written; it is taken for the second after. */
	return d->year && d->day && d->day <= month_days(d->year, d->month) && d->hour < 24 && d->minute < 60 &&
	       d->second <= 60;
}

static uint64_t seconds(const struct date *d)
{
	uint64_t day = days_before(d->year) + d->day - 1;

	if (d->year < 1970)
		return 0;
	for (uint32_t m = 0; m < d->month; m++)
		day += month_days(d->year, m);
	return (day - days_before(1970)) * DAY_S + d->hour * 3600 + d->minute * 60 + d->second;
}

/*
 * "Recipients of a timestamp value in rfc850-date format [...] MUST interpret a timestamp that appears to be more than
 * 50 years in the future as representing the most recent year in the past that had the same last two digits."
 */
static uint32_t with_century(uint32_t two, uint64_t now_s)
{
	uint32_t now = 1970 + (uint32_t)(ss_min_u64(now_s, DAY_S * 365 * 7000) * 400 / (DAY_S * 146097));
	uint32_t year = now - now % 100 + two;

	return year > now + 50 ? year - 100 : year + 50 <= now ? year + 100 : year;
}

bool ss_httpdate(struct ss_span v, uint64_t now_s, uint64_t *out)
{
	for (uint32_t i = 0; i < 7; i++) {
		struct rest r = { v, true }, is;
		struct date d = { 0 };
		char three[4] = { days[i][0], days[i][1], days[i][2], 0 };
		is = r;
		if (take(&is, days[i]) && take(&is, ",")) {
			rfc850(&is, &d);
			d.year = with_century(d.year, now_s);
		} else if (take(&r, three)) {
			is = r;
			if (take(&is, ","))
				fixdate(&is, &d);
			else
				asctime_date((is = r, &is), &d);
		} else {
			continue;
		}
		if (!is.ok || is.v.n || !is_date(&d))
			return false;
		*out = seconds(&d);
		return true;
	}
	return false;
}

static void put(char *p, uint32_t n, uint32_t v)
{
	while (n--) {
		p[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void ss_httpdate_put(char buf[SS_HTTPDATE_TEXT], uint64_t at_s)
{
	uint64_t day = at_s / DAY_S + days_before(1970), left = at_s % DAY_S;
	struct date d = { .year = (uint32_t)(day * 400 / 146097) + 1 };

	/* The quotient is off by one year at most, either way. */
	while (days_before(d.year) > day)
		d.year--;
	while (days_before(d.year + 1) <= day)
		d.year++;
	d.day = (uint32_t)(day - days_before(d.year));
	for (; d.day >= month_days(d.year, d.month); d.month++)
		d.day -= month_days(d.year, d.month);
	memcpy(buf, "Sun, 06 Nov 1994 08:49:37 GMT", SS_HTTPDATE_TEXT);
	memcpy(buf, days[(at_s / DAY_S + 4) % 7], 3); /* 1970 began on a Thursday */
	put(buf + 5, 2, d.day + 1);
	memcpy(buf + 8, months[d.month], 3);
	put(buf + 12, 4, d.year);
	put(buf + 17, 2, (uint32_t)(left / 3600));
	put(buf + 20, 2, (uint32_t)(left / 60 % 60));
	put(buf + 23, 2, (uint32_t)(left % 60));
}
