// SPDX-License-Identifier: MIT OR GPL-2.0-only
// A small reader of JSON, enough for guests.json: values in a tree that is never freed.
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stdint.h>

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
	enum json_kind kind;
	bool boolean;
	int64_t number;
	const char *string;
	const char *key;		// of a member of an object
	struct json *first, *next;	// of an array or object: first child; of a child: the next one
};

// Reads the file; ends the program with the line of the first mistake.
struct json *json_read(const char *path);

// The member KEY of an object, or NULL when there is none, it is null, or OBJECT is NULL.
const struct json *json_get(const struct json *object, const char *key);

// A number, or a string that holds one in C's notation ("0x1000"); OTHERWISE when VALUE is NULL.
uint64_t json_number(const struct json *value, uint64_t otherwise);

// A string; OTHERWISE when VALUE is NULL.
const char *json_string(const struct json *value, const char *otherwise);

#endif
