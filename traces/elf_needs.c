#define _GNU_SOURCE
#include "traces/elf_needs.h"

#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct image {
    const unsigned char *bytes;
    size_t size;
    const Elf64_Ehdr *head;
} image;

/* `count` things of `each` bytes at `offset`; NULL where they are not all in the file. */
static const void *
inside(const image *file, uint64_t offset, uint64_t count, size_t each)
{
    if (offset > file->size || (file->size - offset) / each < count || offset % 8 != 0)
        return NULL;
    return file->bytes + offset;
}

static const Elf64_Phdr *
find_part(const image *file, uint32_t type, uint64_t address)
{
    const Elf64_Phdr *parts = inside(file, file->head->e_phoff, file->head->e_phnum, sizeof *parts);
    for (unsigned i = 0; parts && i < file->head->e_phnum; i++) {
        if (parts[i].p_type == type &&
            (type != PT_LOAD || address - parts[i].p_vaddr < parts[i].p_filesz))
            return &parts[i];
    }
    return NULL;
}

/* The table of names, which the dynamic part tells by its address. */
static const char *
find_names(const image *file, const Elf64_Dyn *entries, uint64_t count, uint64_t *bytes)
{
    for (uint64_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
        if (entries[i].d_tag != DT_STRTAB)
            continue;
        uint64_t address = entries[i].d_un.d_ptr;
        const Elf64_Phdr *part = find_part(file, PT_LOAD, address);
        uint64_t offset = part ? part->p_offset + (address - part->p_vaddr) : file->size;
        if (offset >= file->size)
            return NULL;
        *bytes = file->size - offset;
        return (const char *)file->bytes + offset;
    }
    return NULL;
}

static bool
needs(const image *file, const char *prefix)
{
    const Elf64_Phdr *dynamic = find_part(file, PT_DYNAMIC, 0);
    uint64_t count = dynamic ? dynamic->p_filesz / sizeof(Elf64_Dyn) : 0, bytes = 0;
    const Elf64_Dyn *entries =
        dynamic ? inside(file, dynamic->p_offset, count, sizeof *entries) : NULL;
    const char *names = entries ? find_names(file, entries, count, &bytes) : NULL;
    size_t length = strlen(prefix);
    for (uint64_t i = 0; names && i < count && entries[i].d_tag != DT_NULL; i++) {
        uint64_t at = entries[i].d_un.d_val;
        if (entries[i].d_tag == DT_NEEDED && at < bytes && bytes - at > length &&
            strncmp(names + at, prefix, length) == 0)
            return true;
    }
    return false;
}

bool
rh_elf_needs(const char *path, const char *prefix)
{
    struct stat status;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    void *mapped = MAP_FAILED;
    if (descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size > (off_t)sizeof(Elf64_Ehdr))
        mapped = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (descriptor >= 0)
        close(descriptor);
    if (mapped == MAP_FAILED)
        return false;
    image file = {mapped, (size_t)status.st_size, mapped};
    bool found = memcmp(file.head->e_ident, ELFMAG, SELFMAG) == 0 &&
                 file.head->e_ident[EI_CLASS] == ELFCLASS64 &&
                 file.head->e_phentsize == sizeof(Elf64_Phdr) && needs(&file, prefix);
    munmap(mapped, (size_t)status.st_size);
    return found;
}
