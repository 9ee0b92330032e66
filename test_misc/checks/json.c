// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *path, *start, *at;
};

static _Noreturn void mistake(const struct reader *r, const char *what)
{
	int line = 1;

	for (const char *c = r->start; c < r->at; c++)
		line += *c == '\n';
	fprintf(stderr, "%s:%d: %s\n", r->path, line, what);
	exit(2);
}

static void skip_space(struct reader *r)
{
	while (isspace((unsigned char)*r->at))
		r->at++;
}

static bool take(struct reader *r, char c)
{
	skip_space(r);
	if (*r->at != c)
		return false;
	r->at++;
	return true;
}

static void need(struct reader *r, char c)
{
	char what[] = "expected ' '";

	what[10] = c;
	if (!take(r, c))
		mistake(r, what);
}

static struct json *new_value(enum json_kind kind)
{
	struct json *value = calloc(1, sizeof(*value));

	if (!value)
		abort();
	value->kind = kind;
	return value;
}

static const char *read_string(struct reader *r)
{
	need(r, '"');

	char *text = malloc(strlen(r->at) + 1), *end = text;

	if (!text)
		abort();
	while (*r->at != '"') {
		if (!*r->at)
			mistake(r, "a string does not end");
		if (*r->at != '\\') {
			*end++ = *r->at++;
			continue;
		}
		r->at++;
		switch (*r->at++) {
		case 'n': *end++ = '\n'; break;
		case 't': *end++ = '\t'; break;
		case '"': *end++ = '"'; break;
		case '\\': *end++ = '\\'; break;
		case '/': *end++ = '/'; break;
		default: mistake(r, "an escape that this reader does not know (\\n \\t \\\" \\\\ \\/ are known)");
		}
	}
	r->at++;
	*end = 0;
	return text;
}

static struct json *read_value(struct reader *r);

static struct json *read_children(struct reader *r, enum json_kind kind, char close)
{
	struct json *value = new_value(kind), **link = &value->first;

	if (take(r, close))
		return value;
	do {
		const char *key = NULL;

		if (kind == JSON_OBJECT) {
			skip_space(r);
			key = read_string(r);
			need(r, ':');
		}
		*link = read_value(r);
		(*link)->key = key;
		link = &(*link)->next;
	} while (take(r, ','));
	need(r, close);
	return value;
}

static struct json *read_word(struct reader *r)
{
	static const struct { const char *word; enum json_kind kind; bool boolean; } words[] = {
		{ "true", JSON_BOOL, true }, { "false", JSON_BOOL, false }, { "null", JSON_NULL, false },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t length = strlen(words[i].word);

		if (!strncmp(r->at, words[i].word, length)) {
			struct json *value = new_value(words[i].kind);

			value->boolean = words[i].boolean;
			r->at += length;
			return value;
		}
	}

	char *end;
	struct json *value = new_value(JSON_NUMBER);

	errno = 0;
	value->number = strtoll(r->at, &end, 10);
	if (end == r->at || errno || *end == '.' || *end == 'e' || *end == 'E')
		mistake(r, "expected a value (numbers are whole)");
	r->at = end;
	return value;
}

static struct json *read_value(struct reader *r)
{
	skip_space(r);
	if (*r->at == '"') {
		struct json *value = new_value(JSON_STRING);

		value->string = read_string(r);
		return value;
	}
	if (take(r, '{'))
		return read_children(r, JSON_OBJECT, '}');
	if (take(r, '['))
		return read_children(r, JSON_ARRAY, ']');
	return read_word(r);
}

struct json *json_read(const char *path)
{
	FILE *file = fopen(path, "r");
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}

	char *text = calloc(1, size + 1);

	if (!text || fread(text, 1, size, file) != (size_t)size) {
		fprintf(stderr, "%s: could not read %ld bytes\n", path, size);
		exit(2);
	}
	fclose(file);

	struct reader r = { .path = path, .start = text, .at = text };
	struct json *value = read_value(&r);

	skip_space(&r);
	if (*r.at)
		mistake(&r, "more after the end of the value");
	return value;
}

const struct json *json_get(const struct json *object, const char *key)
{
	if (!object || object->kind != JSON_OBJECT)
		return NULL;
	for (const struct json *member = object->first; member; member = member->next)
		if (!strcmp(member->key, key))
			return member->kind == JSON_NULL ? NULL : member;
	return NULL;
}

uint64_t json_number(const struct json *value, uint64_t otherwise)
{
	char *end;
	uint64_t number;

	if (!value)
		return otherwise;
	if (value->kind == JSON_NUMBER)
		return value->number;
	if (value->kind == JSON_STRING) {
		number = strtoull(value->string, &end, 0);
		if (end != value->string && !*end)
			return number;
	}
	fprintf(stderr, "\"%s\": a number is expected here\n", value->key ? value->key : "");
	exit(2);
}

const char *json_string(const struct json *value, const char *otherwise)
{
	if (!value)
		return otherwise;
	if (value->kind != JSON_STRING) {
		fprintf(stderr, "\"%s\": a string is expected here\n", value->key ? value->key : "");
		exit(2);
	}
	return value->string;
}
