// SPDX-License-Identifier: MIT
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of a number, so that it fits 64 bits. */
#define MAX_DIGITS 18
/* Of what is wrong, in a complaint. */
#define MAX_SHOWN 40

void request_note(struct request *request, const char *format, ...)
{
	va_list arguments;

	if (request->wrong[0])
		return;
	va_start(arguments, format);
	vsnprintf(request->wrong, sizeof(request->wrong), format, arguments);
	va_end(arguments);
}

static bool is_number(const char *text)
{
	size_t length = strspn(text, "0123456789");

	return length && length <= MAX_DIGITS && !text[length];
}

static uint64_t to_number(const char *text)
{
	uint64_t number = 0;

	for (; *text; text++)
		number = number * 10 + (uint64_t)(*text - '0');
	return number;
}

static bool has_key(const struct pair *pair, const char *key)
{
	return strlen(key) == pair->key_length && !strncmp(pair->key, key, pair->key_length);
}

static int shown_length(const struct pair *pair)
{
	return pair->key_length < MAX_SHOWN ? (int)pair->key_length : MAX_SHOWN;
}

static void add_pair(struct request *request, char *word)
{
	char *equals = strchr(word, '=');

	if (!equals || equals == word) {
		request_note(request, "not key=value: %.*s", MAX_SHOWN, word);
		return;
	}
	request->pairs[request->count++] = (struct pair){ .key = word,
							  .key_length = (size_t)(equals - word),
							  .value = equals + 1 };
}

bool request_parse(struct request *request, char **words, unsigned int count)
{
	*request = (struct request){ .number = "0", .verb = "" };
	if (count > 1 && is_number(words[1]))
		request->number = words[1];
	if (!count || strcmp(words[0], PROTOCOL))
		request_note(request, "this runner speaks " PROTOCOL ", not %.*s", MAX_SHOWN,
			     count ? words[0] : "nothing");
	else if (count < 3 || request->number != words[1])
		request_note(request, "a request is " PROTOCOL " NUMBER VERB key=value ...");
	else if (count - 3 > MAX_WORDS)
		request_note(request, "more than %u keys", MAX_WORDS);
	if (request->wrong[0])
		return false;
	request->verb = words[2];
	for (unsigned int i = 3; i < count; i++)
		add_pair(request, words[i]);
	return !request->wrong[0];
}

static struct pair *find_pair(struct request *request, const char *key)
{
	for (unsigned int i = 0; i < request->count; i++)
		if (has_key(&request->pairs[i], key))
			return &request->pairs[i];
	return NULL;
}

/*
 * The value of a key, which is decoded in place and so can be asked for once; NULL where there is
 * none.
 */
static char *take_value(struct request *request, const char *key)
{
	struct pair *pair = find_pair(request, key);

	if (!pair || pair->used) {
		request_note(request, "%s: missing", key);
		return NULL;
	}
	pair->used = true;
	return pair->value;
}

static int hex_digit(char digit)
{
	static const char digits[] = "0123456789ABCDEF0123456789abcdef";
	const char *at = digit ? strchr(digits, digit) : NULL;

	return at ? (int)(at - digits) % 16 : -1;
}

/* Decode %XX in place; false where it is malformed or a NUL. */
static bool decode_percent(char *text)
{
	char *to = text;

	for (; *text; text++, to++) {
		if (*text != '%') {
			*to = *text;
			continue;
		}
		int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);

		if (low < 0 || !(high | low))
			return false;
		*to = (char)(high << 4 | low);
		text += 2;
	}
	*to = '\0';
	return true;
}

const char *request_text(struct request *request, const char *key)
{
	char *value = take_value(request, key);

	if (!value)
		return "";
	if (!*value || !decode_percent(value)) {
		request_note(request, "%s: empty, or a malformed %% code", key);
		return "";
	}
	return value;
}

unsigned int request_texts(struct request *request, const char *key, const char *items[MAX_LIST])
{
	char *rest = take_value(request, key), *item;
	unsigned int count = 0;

	while (rest && (item = strsep(&rest, ","))) {
		if (count == MAX_LIST || !*item || !decode_percent(item)) {
			request_note(request, "%s: an empty or malformed item, or more than %d",
				     key, MAX_LIST);
			return 0;
		}
		items[count++] = item;
	}
	return count;
}

static uint64_t parse_integer(struct request *request, const char *key, const char *text,
			      uint64_t least, uint64_t most)
{
	uint64_t number = is_number(text) ? to_number(text) : 0;

	if (is_number(text) && number >= least && number <= most)
		return number;
	request_note(request, "%s: an integer from %llu to %llu, not %.*s", key,
		     (unsigned long long)least, (unsigned long long)most, MAX_SHOWN, text);
	return least;
}

uint64_t request_integer(struct request *request, const char *key, uint64_t least, uint64_t most)
{
	const char *value = take_value(request, key);

	return value ? parse_integer(request, key, value, least, most) : least;
}

unsigned int request_integers(struct request *request, const char *key, uint64_t least,
			      uint64_t most, uint64_t items[MAX_LIST])
{
	const char *texts[MAX_LIST];
	unsigned int count = request_texts(request, key, texts);

	for (unsigned int i = 0; i < count; i++)
		items[i] = parse_integer(request, key, texts[i], least, most);
	return count;
}

bool request_has(const struct request *request, const char *key)
{
	return find_pair((struct request *)request, key);
}

const char *request_refused(struct request *request)
{
	for (unsigned int i = 0; i < request->count; i++)
		if (!request->pairs[i].used)
			request_note(request, "%.*s: unknown to %.40s, or given twice",
				     shown_length(&request->pairs[i]), request->pairs[i].key,
				     request->verb);
	return request->wrong[0] ? request->wrong : NULL;
}
