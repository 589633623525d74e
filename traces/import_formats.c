#include "traces/import_formats.h"

const rh_importer *const rh_importers[] = {
    &rh_import_text,
    &rh_import_android,
    &rh_import_heaptrack,
    &rh_import_malloclab,
    &rh_import_mtrace,
    &rh_import_wee,
    NULL,
};
