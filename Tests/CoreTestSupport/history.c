// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "history.h"
#include <stdlib.h>

void history_add(struct history *h, struct history_event event)
{
	if (h->count == h->room) {
		h->room = h->room ? 2 * h->room : 1024;
		h->event = realloc(h->event, h->room * sizeof(*h->event));
		if (!h->event)
			abort();
	}
	h->event[h->count++] = event;
}

void history_free(struct history *h)
{
	free(h->event);
	*h = (struct history){ 0 };
}
