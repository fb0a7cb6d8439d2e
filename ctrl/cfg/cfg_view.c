/* cfg_view.c - the tables read backwards: a model as JSON, and what two models differ in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cfg/cfg_int.h"

/* ---- the model in force, every default filled in ---- */

static void show_group(struct ss_json *j, const struct ss_cfg_table *t, const char *obj);

static void show_number(struct ss_json *j, const struct ss_cfg_key *k, const void *at)
{
	char buf[40];
	switch (k->type) {
	case SS_CFG_U16:
		ss_json_u64(j, k->name, *(const uint16_t *)at);
		break;
	case SS_CFG_HUNDREDTHS:
		ss_json_double(j, k->name, *(const uint32_t *)at / 100.0, 2);
		break;
	case SS_CFG_DURATION:
		ss_json_text(j, k->name, ss_cfg_unit_text(k->type, *(const uint64_t *)at, buf, sizeof(buf)));
		break;
	case SS_CFG_SIZE:
		ss_json_text(j, k->name, ss_cfg_unit_text(k->type, *(const uint32_t *)at, buf, sizeof(buf)));
		break;
	default:
		ss_json_u64(j, k->name, *(const uint32_t *)at);
	}
}

static uint32_t word_value(const struct ss_cfg_key *k, const void *at)
{
	return k->bytes == sizeof(bool) ? *(const bool *)at : *(const uint32_t *)at;
}

static void show_word(struct ss_json *j, const struct ss_cfg_key *k, const void *at)
{
	for (const struct ss_cfg_word *w = k->words; w->word; w++)
		if (w->value == word_value(k, at))
			ss_json_text(j, k->name, w->word);
}

static void show_texts(struct ss_json *j, const struct ss_cfg_key *k, const char *obj)
{
	char *const *texts = *(char **const *)(const void *)(obj + k->at);
	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < *(const uint32_t *)(const void *)(obj + k->at_n); i++)
		ss_json_text(j, NULL, texts[i]);
	ss_json_end_list(j);
}

static void show_list(struct ss_json *j, const struct ss_cfg_key *k, const char *obj)
{
	const char *array = *(const char *const *)(const void *)(obj + k->at);
	ss_json_list(j, k->name);
	for (uint32_t i = 0; i < *(const uint32_t *)(const void *)(obj + k->at_n); i++) {
		ss_json_object(j, NULL);
		show_group(j, k->table, array + (size_t)i * k->table->size);
		ss_json_end_object(j);
	}
	ss_json_end_list(j);
}

static void show_ip(struct ss_json *j, const char *key, const struct ss_ip *ip)
{
	char text[SS_IP_TEXT];
	if (ip->family)
		ss_json_text(j, key, ss_ip_text(ip, text));
}

static void show_key(struct ss_json *j, const struct ss_cfg_key *k, const char *obj)
{
	const void *at = obj + k->at;
	switch (k->type) {
	case SS_CFG_BOOL:
		ss_json_bool(j, k->name, *(const bool *)at);
		break;
	case SS_CFG_TEXT:
	case SS_CFG_FILE:
	case SS_CFG_REF:
		if (*(char *const *)at)
			ss_json_text(j, k->name, *(char *const *)at);
		break;
	case SS_CFG_WORD:
		show_word(j, k, at);
		break;
	case SS_CFG_IP:
		show_ip(j, k->name, at);
		break;
	case SS_CFG_METHODS:
		ss_json_list(j, k->name);
		for (uint16_t bit = 1; bit <= SS_METHOD_OTHER; bit = (uint16_t)(bit << 1))
			if (*(const uint16_t *)at & bit)
				ss_json_text(j, NULL, ss_cfg_method_name(bit));
		ss_json_end_list(j);
		break;
	case SS_CFG_TEXTS:
	case SS_CFG_REFS:
		show_texts(j, k, obj);
		break;
	case SS_CFG_LIST:
		show_list(j, k, obj);
		break;
	case SS_CFG_GROUP:
		if (k->at_n && !*(const bool *)(const void *)(obj + k->at_n))
			break;
		ss_json_object(j, k->name);
		show_group(j, k->table, obj + k->at);
		ss_json_end_object(j);
		break;
	case SS_CFG_TRUE:
	case SS_CFG_OWN:
		break; /* these have a `show`, or nothing to say */
	default:
		show_number(j, k, at);
	}
}

void ss_cfg_show_one(struct ss_json *j, const struct ss_cfg_key *k, const char *obj)
{
	if (k->show)
		k->show(j, k, obj);
	else
		show_key(j, k, obj);
}

static void show_group(struct ss_json *j, const struct ss_cfg_table *t, const char *obj)
{
	for (uint32_t i = 0; i < t->n_keys; i++)
		ss_cfg_show_one(j, &t->keys[i], obj);
}

void ss_cfg_show(struct ss_json *j, const struct ss_model *m)
{
	show_group(j, &ss_cfg_root, (const char *)m);
}

/* ---- what is read at start only ---- */

struct compare {
	const struct ss_model *wanted;
	struct ss_model_errors *errors;
	uint32_t n;
};

static void differs(struct compare *c, const char *path)
{
	struct ss_model_src src = { c->wanted->file, 0 };
	ss_model_error(c->errors, &src, path, "is read at start only: restart to change it");
	c->n++;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_value(const struct ss_cfg_key *k, const char *a, const char *b)
{
	switch (k->type) {
	case SS_CFG_TEXT:
	case SS_CFG_FILE:
		return same_text(*(char *const *)(const void *)a, *(char *const *)(const void *)b);
	case SS_CFG_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case SS_CFG_WORD:
		return word_value(k, a) == word_value(k, b);
	case SS_CFG_DURATION:
		return memcmp(a, b, sizeof(uint64_t)) == 0;
	case SS_CFG_IP:
		return memcmp(a, b, sizeof(struct ss_ip)) == 0;
	case SS_CFG_OWN:
		return memcmp(a, b, k->bytes) == 0;
	default:
		return memcmp(a, b, sizeof(uint32_t)) == 0;
	}
}

static void compare_group(struct compare *c, const struct ss_cfg_table *t, const char *under, const char *a,
			  const char *b);

static void compare_list(struct compare *c, const struct ss_cfg_key *k, const char *path, const char *a,
			 const char *b)
{
	uint32_t na = *(const uint32_t *)(const void *)(a + k->at_n),
		 nb = *(const uint32_t *)(const void *)(b + k->at_n);
	const char *pa = *(const char *const *)(const void *)(a + k->at),
		   *pb = *(const char *const *)(const void *)(b + k->at);
	char element[300];
	if (na != nb) {
		differs(c, path);
		return;
	}
	for (uint32_t i = 0; i < na; i++) {
		snprintf(element, sizeof(element), "%s[%u].", path, i);
		compare_group(c, k->table, element, pa + (size_t)i * k->table->size,
			      pb + (size_t)i * k->table->size);
	}
}

static void compare_key(struct compare *c, const struct ss_cfg_key *k, const char *under, const char *a,
			const char *b)
{
	char path[280];
	snprintf(path, sizeof(path), "%s%s%s", under, k->name, k->type == SS_CFG_GROUP ? "." : "");
	if (k->type == SS_CFG_GROUP)
		compare_group(c, k->table, path, a + k->at, b + k->at);
	else if (k->type == SS_CFG_LIST)
		compare_list(c, k, path, a, b);
	else if (!same_value(k, a + k->at, b + k->at))
		differs(c, path);
}

static void compare_group(struct compare *c, const struct ss_cfg_table *t, const char *under, const char *a,
			  const char *b)
{
	for (uint32_t i = 0; i < t->n_keys; i++)
		compare_key(c, &t->keys[i], under, a, b);
}

int ss_cfg_same_process(const struct ss_model *running, const struct ss_model *wanted,
			struct ss_model_errors *errors)
{
	struct compare c = { wanted, errors, 0 };
	uint32_t begin = offsetof(struct ss_model, process), end = begin + sizeof(struct ss_model_process);
	for (uint32_t i = 0; i < ss_cfg_root.n_keys; i++) {
		const struct ss_cfg_key *k = &ss_cfg_root.keys[i];
		if (k->at >= begin && k->at < end)
			compare_key(&c, k, "", (const char *)running, (const char *)wanted);
	}
	return c.n ? SS_ERR_CONFIG : 0;
}
