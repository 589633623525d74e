#define _GNU_SOURCE
#include "traces/recorded_facts.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/host.h"

/* The command line, each word quoted as a shell wants it. The caller frees it. */
static char *
quoted_command(const rh_channel_facts *facts)
{
    uint32_t bytes = facts->command_bytes;
    if (bytes == 0 || bytes > sizeof facts->command)
        return NULL;
    char *line = malloc((size_t)bytes * 5 + 16), *out = line;
    if (!line)
        return NULL;
    for (uint32_t at = 0; at < bytes;) {
        const char *word = facts->command + at;
        size_t length = strnlen(word, bytes - at);
        at += (uint32_t)length + 1;
        size_t plain = strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                    "_-./=:,@%+");
        bool quote = length == 0 || plain < length;
        if (out > line)
            *out++ = ' ';
        if (quote)
            *out++ = '\'';
        for (size_t i = 0; i < length; i++) {
            if (word[i] == '\'')
                out = stpcpy(out, "'\\''");
            else
                *out++ = word[i];
        }
        if (quote)
            *out++ = '\'';
    }
    *out = '\0';
    return line;
}

static char *
copy_text(const char *text, size_t room)
{
    return text[0] ? strndup(text, room) : NULL;
}

void
rh_recorded_facts(const rh_channel *channel, bool paused, rh_trace_info *info)
{
    const rh_channel_facts *facts = &channel->facts;
    char host[256], now[64];
    time_t seconds = time(NULL);
    struct tm utc;
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
    rh_trace_info_init(info);
    info->command = quoted_command(facts);
    info->program = copy_text(facts->program, sizeof facts->program);
    static const char *const captures[] = {[RH_CAPTURE_PYTHON] = "python",
                                           [RH_CAPTURE_MALLOC] = "malloc",
                                           [RH_CAPTURE_BOTH] = "python and malloc"};
    static const char *const recorders[] = {[RH_CAPTURE_PYTHON] = "reheap record --python",
                                            [RH_CAPTURE_MALLOC] = "reheap record --malloc",
                                            [RH_CAPTURE_BOTH] = "reheap record --python --malloc"};
    const uint32_t kind = facts->capture < RH_CAPTURES ? facts->capture : 0;
    const char *capture = captures[kind];
    if (asprintf(&info->capture, "%s%s%s%s", capture, facts->attached ? ", attached" : "",
                 facts->forked ? ", from a fork on" : "", paused ? ", paused at first" : "") < 0)
        info->capture = NULL;
    info->python_version = copy_text(facts->python_version, sizeof facts->python_version);
    info->allocator = copy_text(facts->allocator, sizeof facts->allocator);
    info->recorder = strdup(recorders[kind]);
    info->host = strdup(rh_host_kernel(host, sizeof host));
    info->started = strdup(now);
    info->arena_bytes = facts->arena_bytes;
    info->pool_bytes = facts->pool_bytes;
    info->process_id = (uint64_t)channel->process_id;
    info->domains = kind != RH_CAPTURE_MALLOC;
}
