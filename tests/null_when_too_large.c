/* What the sanitizers ask a test that requests sizes nobody has: their allocators are to answer
 * NULL, as the C library's does, instead of ending the test. Link it; there is nothing to call. */

const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}
