#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/cfg_int.h"
#include "model/text_index.h"

#define LIST_MAX 65536

/* ---- where a setting stands, and saying what is wrong with it ---- */

static size_t path_of(const config_setting_t *s, char *buf, size_t n)
{
	const config_setting_t *up = config_setting_parent(s);
	if (!up)
		return 0;
	size_t used = path_of(up, buf, n);
	const char *name = config_setting_name(s);
	int more = name ? snprintf(buf + used, n - used, "%s%s", used ? "." : "", name) :
			  snprintf(buf + used, n - used, "[%d]", config_setting_index(s));
	used += more > 0 ? (size_t)more : 0;
	return used < n ? used : n - 1;
}

void ss_cfg_src(struct ss_cfg *c, const config_setting_t *s, struct ss_model_src *out)
{
	const char *file = config_setting_source_file(s);
	if (!file) /* the root group has none */
		file = c->m->file;
	if (file != c->file) {
		c->file = file;
		c->file_copy = ss_cfg_text(c, file);
	}
	out->file = c->file_copy;
	out->line = config_setting_source_line(s);
}

void ss_cfg_error(struct ss_cfg *c, const config_setting_t *s, const char *key, const char *fmt, ...)
{
	char path[512] = "", what[768];
	struct ss_model_src src;
	const config_setting_t *member =
		key && config_setting_is_group(s) ? config_setting_get_member(s, key) : NULL;
	if (member) { /* then its own line is better than its group's */
		s = member;
		key = NULL;
	}
	size_t n = path_of(s, path, sizeof(path));
	if (key)
		snprintf(path + n, sizeof(path) - n, "%s%s", n ? "." : "", key);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	ss_cfg_src(c, s, &src);
	ss_model_error(c->errors, &src, path[0] ? path : NULL, "%s", what);
}

void *ss_cfg_alloc(struct ss_cfg *c, size_t n)
{
	void *p = ss_model_alloc(c->m, n);
	c->no_memory |= !p;
	return p;
}

char *ss_cfg_text(struct ss_cfg *c, const char *text)
{
	char *p = ss_model_text(c->m, text);
	c->no_memory |= text && !p;
	return p;
}

/* libconfig's own search asks of each letter whether a path's part ends there. Its settings are public structs. */
config_setting_t *ss_cfg_member(config_setting_t *g, const char *name, size_t n)
{
	const config_list_t *l = config_setting_is_group(g) ? g->value.list : NULL;

	for (unsigned i = 0; l && i < l->length; i++) {
		const char *its = l->elements[i]->name;
		if (!strncmp(its, name, n) && !its[n])
			return l->elements[i];
	}
	return NULL;
}

/* ---- unknown keys ---- */

/* Levenshtein distance, on names shorter than 48 bytes. */
static uint32_t distance(const char *a, const char *b)
{
	uint32_t row[49], la = (uint32_t)strlen(a), lb = (uint32_t)strlen(b);
	if (la > 48 || lb > 48)
		return UINT32_MAX;
	for (uint32_t j = 0; j <= lb; j++)
		row[j] = j;
	for (uint32_t i = 1; i <= la; i++) {
		uint32_t diagonal = row[0];
		row[0] = i;
		for (uint32_t j = 1; j <= lb; j++) {
			uint32_t change = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			row[j] = ss_min_u32(change, ss_min_u32(row[j - 1], row[j]) + 1);
		}
	}
	return row[lb];
}

static const struct ss_cfg_key *known(const struct ss_cfg_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->n_keys; i++)
		if (!strcmp(t->keys[i].name, name))
			return &t->keys[i];
	return NULL;
}

/* The key that was probably meant: at most a third of the letters differ, or it begins the same. */
static const char *nearest(const struct ss_cfg_table *t, const char *name)
{
	const char *best = NULL;
	uint32_t least = UINT32_MAX, n = (uint32_t)strlen(name);
	for (uint32_t i = 0; i < t->n_keys; i++) {
		uint32_t d = distance(name, t->keys[i].name);
		bool begins = n >= 3 && (!strncmp(t->keys[i].name, name, n) ||
					 !strncmp(t->keys[i].name, name, strlen(t->keys[i].name)));
		if (begins)
			d = ss_min_u32(d, (n + 2) / 3);
		if (d < least && d <= (n + 2) / 3) {
			least = d;
			best = t->keys[i].name;
		}
	}
	return best;
}

static void refuse_unknown(struct ss_cfg *c, config_setting_t *g, const struct ss_cfg_table *t)
{
	for (int i = 0; i < config_setting_length(g); i++) {
		config_setting_t *s = config_setting_get_elem(g, (unsigned)i);
		const char *name = config_setting_name(s);
		if (known(t, name))
			continue;
		const char *near = nearest(t, name);
		if (near)
			ss_cfg_error(c, s, NULL, "unknown key; did you mean \"%s\"?", near);
		else
			ss_cfg_error(c, s, NULL, "unknown key");
	}
}

uint32_t ss_cfg_count(config_setting_t *g, const char *const *keys)
{
	uint32_t n = 0;
	for (; *keys; keys++)
		n += ss_cfg_member(g, *keys, strlen(*keys)) != NULL;
	return n;
}

/* ---- values ---- */

/* What libconfig must have read for each type, and how to ask for it. */
static const struct {
	const char *must;
	unsigned types; /* bits 1 << CONFIG_TYPE_x */
} wanted[] = {
#define INTS (1u << CONFIG_TYPE_INT | 1u << CONFIG_TYPE_INT64)
#define TEXT (1u << CONFIG_TYPE_STRING)
	[SS_CFG_BOOL] = { "must be true or false", 1u << CONFIG_TYPE_BOOL },
	[SS_CFG_TRUE] = { "must be true", 1u << CONFIG_TYPE_BOOL },
	[SS_CFG_U16] = { "must be a whole number", INTS },
	[SS_CFG_U32] = { "must be a whole number", INTS },
	[SS_CFG_HUNDREDTHS] = { "must be a number", INTS | 1u << CONFIG_TYPE_FLOAT },
	[SS_CFG_DURATION] = { "must be a duration in quotes, as \"250ms\"", TEXT },
	[SS_CFG_SIZE] = { "must be a size, as \"64KiB\" or a number of bytes", INTS | TEXT },
	[SS_CFG_TEXT] = { "must be a text in quotes", TEXT },
	[SS_CFG_FILE] = { "must be a path in quotes", TEXT },
	[SS_CFG_WORD] = { "must be a word in quotes", TEXT },
	[SS_CFG_IP] = { "must be an IP address in quotes", TEXT },
	[SS_CFG_REF] = { "must be a name in quotes", TEXT },
#undef INTS
#undef TEXT
};

/* A scalar setting as text. buf serves numbers. */
static const char *scalar_text(const config_setting_t *s, char *buf, size_t n)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_STRING:
		return config_setting_get_string(s);
	case CONFIG_TYPE_BOOL:
		return config_setting_get_bool(s) ? "true" : "false";
	case CONFIG_TYPE_FLOAT:
		snprintf(buf, n, "%.6f", config_setting_get_float(s));
		for (size_t end = strlen(buf); end > 1 && (buf[end - 1] == '0' || buf[end - 1] == '.');
		     end--) {
			bool point = buf[end - 1] == '.';
			buf[end - 1] = '\0';
			if (point)
				break;
		}
		return buf;
	default:
		snprintf(buf, n, "%lld", (long long)config_setting_get_int64(s));
		return buf;
	}
}

static void read_scalar(struct ss_cfg *c, config_setting_t *s, const struct ss_cfg_key *k, void *dest)
{
	char buf[64];
	if (!(wanted[k->type].types & 1u << config_setting_type(s))) {
		ss_cfg_error(c, s, NULL, "%s", wanted[k->type].must);
		return;
	}
	const char *why = ss_cfg_value(c, k, scalar_text(s, buf, sizeof(buf)), dest);
	if (why)
		ss_cfg_error(c, s, NULL, "%s", why);
}

char **ss_cfg_texts(struct ss_cfg *c, config_setting_t *s, uint32_t *n)
{
	*n = 0;
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		ss_cfg_error(c, s, NULL, "must be a list of texts, as [ \"a\", \"b\" ]");
		return NULL;
	}
	uint32_t len = (uint32_t)config_setting_length(s);
	char **texts = ss_cfg_alloc(c, (len + 1) * sizeof(*texts));
	for (uint32_t i = 0; i < len && texts; i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		const char *text = config_setting_get_string(e);
		if (!text)
			ss_cfg_error(c, e, NULL, "must be a text in quotes");
		else if (!text[0])
			ss_cfg_error(c, e, NULL, "must not be empty");
		else
			texts[(*n)++] = ss_cfg_text(c, text);
	}
	return texts;
}

static void read_texts(struct ss_cfg *c, config_setting_t *s, const struct ss_cfg_key *k, char *obj)
{
	uint32_t n = 0;
	char **texts = ss_cfg_texts(c, s, &n);
	for (uint32_t i = 0; i < n && k->type == SS_CFG_REFS; i++)
		if (texts[i] && k->find(c->m, texts[i]) == SS_MODEL_NONE)
			ss_cfg_error(c, s, NULL, "there is no %s named \"%s\"", k->what, texts[i]);
	struct ss_text_index seen = { 0 };
	for (uint32_t i = 0; i < n; i++)
		if (texts[i] && ss_text_index_put(&seen, texts[i], i) != SS_TEXT_NONE)
			ss_cfg_error(c, s, NULL, "\"%s\" is there twice", texts[i]);
	ss_text_index_free(&seen);
	*(char ***)(obj + k->at) = texts;
	*(uint32_t *)(obj + k->at_n) = n;
}

static void read_methods(struct ss_cfg *c, config_setting_t *s, const struct ss_cfg_key *k, char *obj)
{
	uint32_t n = 0;
	char **texts = ss_cfg_texts(c, s, &n);
	for (uint32_t i = 0; i < n; i++) {
		uint16_t bit = texts[i] ? ss_cfg_method(texts[i]) : 0;
		if (texts[i] && !bit)
			ss_cfg_error(c, s, NULL,
				     "\"%s\" is no method known here; \"OTHER\" stands for all the rest",
				     texts[i]);
		*(uint16_t *)(obj + k->at) |= bit;
	}
}

/* ---- lists of groups ---- */

static char *name_of(void *obj)
{
	return *(char **)((char *)obj + sizeof(struct ss_model_src));
}

static void refuse_twin(struct ss_cfg *c, config_setting_t *e, const struct ss_cfg_table *t, char *array,
			uint32_t i, struct ss_text_index *names)
{
	const char *name = name_of(array + (size_t)i * t->size);
	uint32_t elder = name ? ss_text_index_put(names, name, i) : SS_TEXT_NONE;
	if (elder == SS_TEXT_NONE)
		return;
	const struct ss_model_src *src = (void *)(array + (size_t)elder * t->size);
	ss_cfg_error(c, e, "name", "there is a %s named \"%s\" already, in line %u", t->what, name, src->line);
}

static void read_element(struct ss_cfg *c, config_setting_t *e, const struct ss_cfg_table *t, char *obj)
{
	if (config_setting_is_group(e)) {
		ss_cfg_group(c, e, t, obj);
	} else if (t->shorthand && config_setting_type(e) == CONFIG_TYPE_STRING) {
		const struct ss_cfg_key *k = known(t, t->shorthand);
		read_scalar(c, e, k, obj + k->at);
		if (t->check)
			t->check(c, e, obj);
	} else {
		ss_cfg_error(c, e, NULL, "must be a group in braces");
	}
}

static void read_list(struct ss_cfg *c, config_setting_t *s, const struct ss_cfg_key *k, char *obj)
{
	const struct ss_cfg_table *t = k->table;
	if (!config_setting_is_list(s) && !(t->shorthand && config_setting_is_array(s))) {
		ss_cfg_error(c, s, NULL, "must be a list in parentheses");
		return;
	}
	uint32_t n = (uint32_t)config_setting_length(s);
	if (n > LIST_MAX) {
		ss_cfg_error(c, s, NULL, "has more than %u entries", LIST_MAX);
		return;
	}
	char *array = ss_cfg_alloc(c, (size_t)(n + 1) * t->size);
	*(void **)(obj + k->at) = array;
	struct ss_text_index names = { 0 };
	for (uint32_t i = 0; i < n && array; i++) {
		config_setting_t *e = config_setting_get_elem(s, i);
		/* Counted before it is read: a check may look at its elder siblings. */
		read_element(c, e, t, array + (size_t)i * t->size);
		*(uint32_t *)(obj + k->at_n) = i + 1;
		if (t->named)
			refuse_twin(c, e, t, array, i, &names);
	}
	ss_text_index_free(&names);
	if (k->required && n == 0)
		ss_cfg_error(c, s, NULL, "must not be empty");
}

/* ---- groups ---- */

static void defaults(struct ss_cfg *c, const struct ss_cfg_table *t, char *obj)
{
	for (uint32_t i = 0; i < t->n_keys; i++) {
		const struct ss_cfg_key *k = &t->keys[i];
		if (k->type == SS_CFG_GROUP) {
			defaults(c, k->table, obj + k->at);
		} else if (k->def) {
			const char *why = ss_cfg_value(c, k, ss_cfg_default(c, k), obj + k->at);
			if (why) /* our own mistake, and told as such */
				ss_model_error(c->errors, NULL, k->name, "default refused: %s", why);
		}
	}
}

static void read_group(struct ss_cfg *c, config_setting_t *g, const struct ss_cfg_table *t, char *obj);

static void read_key(struct ss_cfg *c, config_setting_t *s, const struct ss_cfg_key *k, char *obj)
{
	switch (k->type) {
	case SS_CFG_GROUP:
		if (k->at_n)
			*(bool *)(obj + k->at_n) = true;
		read_group(c, s, k->table, obj + k->at);
		break;
	case SS_CFG_LIST:
		read_list(c, s, k, obj);
		break;
	case SS_CFG_TEXTS:
	case SS_CFG_REFS:
		read_texts(c, s, k, obj);
		break;
	case SS_CFG_METHODS:
		read_methods(c, s, k, obj);
		break;
	case SS_CFG_OWN:
		k->read(c, s, obj);
		break;
	default:
		read_scalar(c, s, k, obj + k->at);
	}
}

static void read_group(struct ss_cfg *c, config_setting_t *g, const struct ss_cfg_table *t, char *obj)
{
	if (!config_setting_is_group(g)) {
		ss_cfg_error(c, g, NULL, "must be a group in braces");
		return;
	}
	if (t->src)
		ss_cfg_src(c, g, (struct ss_model_src *)(void *)obj);
	refuse_unknown(c, g, t);
	for (uint32_t i = 0; i < t->n_keys; i++) {
		config_setting_t *s = ss_cfg_member(g, t->keys[i].name, strlen(t->keys[i].name));
		if (s)
			read_key(c, s, &t->keys[i], obj);
		else if (t->keys[i].required)
			ss_cfg_error(c, g, t->keys[i].name, "is missing");
	}
	if (t->check)
		t->check(c, g, obj);
}

/* Its defaults' texts are shared by all elements: nobody writes to texts of a model. */
static void begin_element(struct ss_cfg *c, const struct ss_cfg_table *t, void *obj)
{
	void *copy;

	for (uint32_t i = 0; i < c->n_begun; i++)
		if (c->begun[i].table == t) {
			memcpy(obj, c->begun[i].obj, t->size);
			return;
		}
	defaults(c, t, obj);
	copy = c->n_begun < SS_CFG_BEGUN_MAX ? ss_cfg_alloc(c, t->size) : NULL;
	if (!copy)
		return;
	memcpy(copy, obj, t->size);
	c->begun[c->n_begun].table = t;
	c->begun[c->n_begun++].obj = copy;
}

void ss_cfg_group(struct ss_cfg *c, config_setting_t *g, const struct ss_cfg_table *t, void *obj)
{
	if (t->size)
		begin_element(c, t, obj);
	else
		defaults(c, t, obj);
	read_group(c, g, t, obj);
}
