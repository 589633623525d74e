// A plug-in in C++: the header serves it as it is.
#include <cstdint>
#include <cstdlib>

#include "alloc/reheap_plugin.h"

namespace
{
struct Heap {
    std::uint64_t live = 0;
};

void *
open_heap(const char *, char *, std::size_t)
{
    return new Heap;
}

void
close_heap(void *heap)
{
    delete static_cast<Heap *>(heap);
}

void *
take(void *ctx, std::size_t size)
{
    static_cast<Heap *>(ctx)->live++;
    return std::malloc(size ? size : 1);
}

void *
clear(void *ctx, std::size_t count, std::size_t size)
{
    static_cast<Heap *>(ctx)->live++;
    return count && size ? std::calloc(count, size) : std::calloc(1, 1);
}

void *
resize(void *ctx, void *block, std::size_t size)
{
    static_cast<Heap *>(ctx)->live += !block;
    return std::realloc(block, size ? size : 1);
}

void
give(void *ctx, void *block)
{
    static_cast<Heap *>(ctx)->live -= block != nullptr;
    std::free(block);
}

void
tell_all(void *heap, reheap_teller *tell, void *ctx)
{
    tell(ctx, "live_blocks", static_cast<Heap *>(heap)->live);
}

reheap_plugin_table
make_table()
{
    reheap_plugin_table table = {};
    table.magic = REHEAP_PLUGIN_MAGIC;
    table.abi = REHEAP_PLUGIN_VERSION;
    table.size = sizeof table;
    table.name = "plain";
    table.version = "C++";
    table.flags = REHEAP_MANY;
    table.open = open_heap;
    table.close = close_heap;
    table.functions = {take, clear, resize, give};
    table.statistics = tell_all;
    return table;
}
} // namespace

const reheap_plugin_table reheap_plugin = make_table();
