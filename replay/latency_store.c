#include "replay/latency_store.h"

#include <stdlib.h>
#include <string.h>

static void *
grown(void *items, size_t count, size_t *room, size_t each_bytes)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 64;
    items = realloc(items, *room * each_bytes);
    if (!items)
        abort();
    return items;
}

static void
add_buckets(rh_latency_rows *rows, const rh_histogram *histogram, rh_bucket like)
{
    for (size_t place = 0; place < RH_HISTOGRAM_BUCKETS; place++) {
        if (!histogram->bucket[place])
            continue;
        rows->bucket =
            grown(rows->bucket, rows->bucket_count, &rows->bucket_room, sizeof *rows->bucket);
        like.count = histogram->bucket[place];
        rh_histogram_bounds(place, &like.lower_ns, &like.upper_ns);
        rows->bucket[rows->bucket_count++] = like;
    }
}

void
rh_latency_rows_add(rh_latency_rows *rows, const rh_latency *latency, bool response)
{
    for (unsigned operation = 0; operation < RH_TIMED_OPERATIONS; operation++) {
        for (unsigned range = 0; range < RH_SIZE_RANGES; range++) {
            const rh_histogram *histogram = &latency->histogram[operation][range];
            uint64_t least = rh_size_range_least(range);
            if (histogram->total == 0)
                continue;
            rows->row = grown(rows->row, rows->row_count, &rows->row_room, sizeof *rows->row);
            rows->row[rows->row_count++] = (rh_latency_row){.operation = rh_timed_names[operation],
                                                            .response = response,
                                                            .size_least = least,
                                                            .size_most = rh_size_range_most[range],
                                                            .calls = histogram->total,
                                                            .max_ns = histogram->max};
            add_buckets(rows, histogram,
                        (rh_bucket){.operation = rh_timed_names[operation],
                                    .response = response,
                                    .size_least = least});
        }
    }
}

void
rh_latency_rows_release(rh_latency_rows *rows)
{
    free(rows->row);
    free(rows->bucket);
    *rows = (rh_latency_rows){.row = NULL};
}

/* Where the rows of an operation and range belong; NULL: to none of this build's. */
static rh_histogram *
histogram_of(rh_latency *latency, const char *operation, uint64_t size_least)
{
    for (unsigned i = 0; operation && i < RH_TIMED_OPERATIONS; i++)
        for (unsigned range = 0; range < RH_SIZE_RANGES; range++)
            if (strcmp(rh_timed_names[i], operation) == 0 &&
                rh_size_range_least(range) == size_least)
                return &latency->histogram[i][range];
    return NULL;
}

rh_status
rh_latency_recall(rh_results *results, const rh_run *run, bool response, rh_latency *latency,
                  rh_error *error)
{
    rh_run loaded = *run;
    rh_status status = rh_results_load_buckets(results, &loaded, error);
    bool known = true;
    for (size_t i = 0; status == RH_OK && i < loaded.latency_count; i++) {
        const rh_latency_row *row = &loaded.latencies[i];
        if (row->response != response)
            continue;
        rh_histogram *histogram = histogram_of(latency, row->operation, row->size_least);
        known &= histogram != NULL;
        if (histogram && row->max_ns > histogram->max)
            histogram->max = row->max_ns;
    }
    for (size_t i = 0; status == RH_OK && loaded.latency_count && i < loaded.bucket_count; i++) {
        const rh_bucket *bucket = &loaded.buckets[i];
        if (bucket->response != response)
            continue;
        rh_histogram *histogram = histogram_of(latency, bucket->operation, bucket->size_least);
        known &= histogram &&
                 rh_histogram_restore(histogram, bucket->lower_ns, bucket->upper_ns, bucket->count);
    }
    if (status == RH_OK && !known)
        status = rh_fail(error, RH_BAD_INPUT,
                         "its histograms of latency have other bounds than this build's; replay "
                         "anew");
    return status;
}
