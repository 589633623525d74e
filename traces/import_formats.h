/* The formats that can be imported, one file each. */
#ifndef REHEAP_TRACES_IMPORT_FORMATS_H
#define REHEAP_TRACES_IMPORT_FORMATS_H

#include "traces/import.h"

extern const rh_importer rh_import_android;
extern const rh_importer rh_import_heaptrack;
extern const rh_importer rh_import_malloclab;
extern const rh_importer rh_import_mtrace;
extern const rh_importer rh_import_text;
extern const rh_importer rh_import_wee;

#endif
