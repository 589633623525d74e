#define _GNU_SOURCE
#include "traces/process_map.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
add_line(rh_process_map *map, size_t *room, const char *line)
{
    uint64_t start, end, offset;
    char rights[5];
    int path = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &start, &end, rights,
               &offset, &path) < 4)
        return true;
    if (map->count == *room) {
        *room = *room ? 2 * *room : 256;
        rh_mapping *grown = realloc(map->list, *room * sizeof *grown);
        if (!grown)
            return false;
        map->list = grown;
    }
    char *name = strdup(path ? line + path : "");
    if (!name)
        return false;
    name[strcspn(name, "\n")] = '\0';
    map->list[map->count++] = (rh_mapping){start, end, offset, strchr(rights, 'x') != NULL, name};
    return true;
}

rh_status
rh_process_map_read(pid_t process, rh_process_map *map, rh_error *error)
{
    char path[64];
    char *line = NULL;
    size_t line_room = 0, room = 0;
    bool good = true;
    *map = (rh_process_map){.process = process};
    snprintf(path, sizeof path, "/proc/%d/maps", (int)process);
    FILE *file = fopen(path, "re");
    if (!file) {
        map->problem = errno;
        return rh_fail_errno(error, RH_CANNOT_RUN, errno, "process %d: cannot look into it",
                             (int)process);
    }
    while (good && getline(&line, &line_room, file) > 0)
        good = add_line(map, &room, line);
    free(line);
    fclose(file);
    if (good)
        return RH_OK;
    rh_process_map_release(map);
    return rh_fail(error, RH_SYSTEM, "out of memory");
}

void
rh_process_map_release(rh_process_map *map)
{
    for (size_t i = 0; i < map->count; i++)
        free(map->list[i].path);
    free(map->list);
    *map = (rh_process_map){0};
}

const rh_mapping *
rh_process_map_at(const rh_process_map *map, uint64_t address)
{
    for (size_t i = 0; i < map->count; i++) {
        if (address >= map->list[i].start && address < map->list[i].end)
            return &map->list[i];
    }
    return NULL;
}

const rh_mapping *
rh_process_map_file(const rh_process_map *map, const char *name)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *slash = strrchr(map->list[i].path, '/');
        if (slash && strncmp(slash + 1, name, strlen(name)) == 0)
            return &map->list[i];
    }
    return NULL;
}

typedef struct elf_file {
    const unsigned char *bytes;
    size_t size;
} elf_file;

static bool
open_elf(pid_t process, const char *name, elf_file *elf)
{
    char path[4400];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)process, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    void *bytes = MAP_FAILED;
    if (fstat(file, &status) == 0 && status.st_size >= (off_t)sizeof(Elf64_Ehdr))
        bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (bytes == MAP_FAILED)
        return false;
    *elf = (elf_file){bytes, (size_t)status.st_size};
    const Elf64_Ehdr *head = bytes;
    if (memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 && head->e_ident[EI_CLASS] == ELFCLASS64)
        return true;
    munmap(bytes, elf->size);
    return false;
}

/* `count` elements of `bytes` each at `offset`; NULL if the file ends before. */
static const void *
piece(const elf_file *elf, uint64_t offset, uint64_t count, uint64_t bytes)
{
    if (offset > elf->size || (bytes && count > (elf->size - offset) / bytes) || offset % 8)
        return NULL;
    return elf->bytes + offset;
}

static const Elf64_Shdr *
dynamic_symbols(const elf_file *elf, const Elf64_Shdr **strings)
{
    const Elf64_Ehdr *head = (const void *)elf->bytes;
    const Elf64_Shdr *sections = piece(elf, head->e_shoff, head->e_shnum, sizeof(Elf64_Shdr));
    for (unsigned i = 0; sections && i < head->e_shnum; i++) {
        if (sections[i].sh_type != SHT_DYNSYM || sections[i].sh_link >= head->e_shnum)
            continue;
        *strings = &sections[sections[i].sh_link];
        return &sections[i];
    }
    return NULL;
}

static uint64_t
symbol_value(const elf_file *elf, const char *name)
{
    const Elf64_Shdr *strings, *section = dynamic_symbols(elf, &strings);
    if (!section || strings->sh_size > elf->size ||
        strings->sh_offset > elf->size - strings->sh_size)
        return 0;
    uint64_t count = section->sh_size / sizeof(Elf64_Sym), length = strlen(name) + 1;
    const Elf64_Sym *symbols = piece(elf, section->sh_offset, count, sizeof *symbols);
    const char *texts = (const char *)elf->bytes + strings->sh_offset;
    for (uint64_t i = 0; symbols && i < count; i++) {
        const Elf64_Sym *symbol = &symbols[i];
        if (symbol->st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol->st_info) == STT_FUNC &&
            symbol->st_name < strings->sh_size && length <= strings->sh_size - symbol->st_name &&
            memcmp(texts + symbol->st_name, name, length) == 0)
            return symbol->st_value;
    }
    return 0;
}

/* The address that the file's first loaded piece asks for. */
static uint64_t
first_address(const elf_file *elf)
{
    const Elf64_Ehdr *head = (const void *)elf->bytes;
    const Elf64_Phdr *parts = piece(elf, head->e_phoff, head->e_phnum, sizeof *parts);
    for (unsigned i = 0; parts && i < head->e_phnum; i++) {
        if (parts[i].p_type == PT_LOAD)
            return (parts[i].p_vaddr - parts[i].p_offset) & ~UINT64_C(4095);
    }
    return 0;
}

uint64_t
rh_process_map_symbol(const rh_process_map *map, const rh_mapping *file, const char *name)
{
    elf_file elf;
    uint64_t start = 0;
    for (size_t i = 0; i < map->count && !start; i++) {
        if (map->list[i].offset == 0 && strcmp(map->list[i].path, file->path) == 0)
            start = map->list[i].start;
    }
    if (!start || !open_elf(map->process, file->path, &elf))
        return 0;
    uint64_t value = symbol_value(&elf, name);
    if (value)
        value += start - first_address(&elf);
    munmap((void *)(uintptr_t)elf.bytes, elf.size);
    return value;
}
