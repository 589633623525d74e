/* The ways in which tests/unit/plugin/odd_plugin.c is odd; each is a library of its own. */
#ifndef REHEAP_TESTS_UNIT_PLUGIN_ODD_PLUGIN_H
#define REHEAP_TESTS_UNIT_PLUGIN_ODD_PLUGIN_H

enum odd_way {
    ODD_NOT, /* only what is required, and nothing wrong with it */
    ODD_MAGIC,
    ODD_ABI,
    ODD_SMALL,   /* the table says that it is smaller than what is required */
    ODD_LARGE,   /* ... larger than it is */
    ODD_OLD,     /* ... ends before the optional members, which are there nevertheless */
    ODD_NO_OPEN, /* functions that are required and missing */
    ODD_NO_CLOSE,
    ODD_NO_FREE,
    ODD_ALIGNMENT,
    ODD_ONE_ARENA_FUNCTION,
    ODD_MUTE,   /* open fails and does not say why */
    ODD_LOUD,   /* open fails and fills the whole message without an end */
    ODD_DOMAIN, /* get_domain leaves a function out */
    ODD_ORDER,  /* get_domain gives each domain a context of its own; counters and check odd */
};

#endif
