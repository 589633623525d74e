/* Files appear whole or not at all, whatever fails; tables line up; a first Ctrl-C only asks. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/output.h"

static char folder[512];

static int
make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TEST_TMPDIR");
    snprintf(folder, sizeof folder, "%s/output.XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static void
place(char *path, size_t capacity, const char *name)
{
    snprintf(path, capacity, "%s/%s", folder, name);
}

static int
files_in_folder(void)
{
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    int files = 0;
    for (struct dirent *entry; (entry = readdir(listing));)
        files += entry->d_name[0] != '.';
    closedir(listing);
    return files;
}

static int
remove_folder(void **state)
{
    (void)state;
    DIR *listing = opendir(folder);
    for (struct dirent *entry; listing && (entry = readdir(listing));) {
        char path[1024];
        place(path, sizeof path, entry->d_name);
        if (entry->d_name[0] != '.')
            remove(path);
    }
    closedir(listing);
    return rmdir(folder);
}

static void
expect_content(const char *path, const char *expected)
{
    char content[64] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(content, 1, sizeof content - 1, file);
    content[length] = '\0';
    fclose(file);
    assert_string_equal(content, expected);
}

static void
appears_only_when_committed(void **state)
{
    (void)state;
    char path[600];
    place(path, sizeof path, "whole");
    rh_output_file file;
    rh_error error;
    mode_t mask = umask(027);
    assert_int_equal(rh_output_open(&file, path, &error), RH_OK);
    umask(mask);
    fputs("all of it", file.stream);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(rh_output_commit(&file, &error), RH_OK);
    expect_content(path, "all of it");
    struct stat what;
    assert_int_equal(stat(path, &what), 0);
    assert_int_equal(what.st_mode & 0777, 0640); /* as an ordinary file would be */
    assert_int_equal(files_in_folder(), 1);
}

static void
abandoned_leaves_what_was_there(void **state)
{
    (void)state;
    char path[600];
    place(path, sizeof path, "old");
    rh_output_file file;
    rh_error error;
    assert_int_equal(rh_output_open(&file, path, &error), RH_OK);
    fputs("old", file.stream);
    assert_int_equal(rh_output_commit(&file, &error), RH_OK);
    assert_int_equal(rh_output_open(&file, path, &error), RH_OK);
    fputs("half of the n", file.stream);
    rh_output_abandon(&file);
    rh_output_abandon(&file); /* twice is no harm */
    expect_content(path, "old");
    assert_int_equal(files_in_folder(), 1);
}

/* A limit on the file's size stands for the full disk: the same write fails, with another errno. */
static void
leaves_nothing_on_a_full_disk(void **state)
{
    (void)state;
    char path[600];
    place(path, sizeof path, "big");
    rh_output_file file;
    rh_error error = {.status = RH_OK};
    assert_int_equal(rh_output_open(&file, path, &error), RH_OK);
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 8192;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 100000; i++)
        fputs("0123456789", file.stream);
    rh_status status = rh_output_commit(&file, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, RH_SYSTEM);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, strerror(EFBIG)));
    assert_int_equal(files_in_folder(), 0);
}

static void
says_why_it_cannot_create(void **state)
{
    (void)state;
    char path[600], long_path[6000];
    place(path, sizeof path, "missing/file");
    rh_output_file file;
    rh_error error;
    assert_int_equal(rh_output_open(&file, path, &error), RH_SYSTEM);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, strerror(ENOENT)));
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(rh_output_open(&file, long_path, &error), RH_USAGE);
    rh_output_abandon(&file);
}

static void
a_folder_is_not_replaced(void **state)
{
    (void)state;
    char path[600];
    place(path, sizeof path, "taken");
    assert_int_equal(mkdir(path, 0755), 0);
    rh_output_file file;
    rh_error error;
    assert_int_equal(rh_output_open(&file, path, &error), RH_SYSTEM);
    assert_non_null(strstr(error.message, strerror(EISDIR)));
    assert_int_equal(files_in_folder(), 1);
}

/* The folder goes while the file is written: the rename is what fails. */
static void
leaves_nothing_when_the_rename_fails(void **state)
{
    (void)state;
    char path[600];
    place(path, sizeof path, "taken");
    rh_output_file file;
    rh_error error;
    assert_int_equal(rh_output_open(&file, path, &error), RH_OK);
    fputs("text", file.stream);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(rh_output_commit(&file, &error), RH_SYSTEM);
    assert_int_equal(files_in_folder(), 1);
}

/* Renaming would put an ordinary file in the place of the device. */
static void
devices_are_written_to_and_stay(void **state)
{
    (void)state;
    rh_output_file file;
    rh_error error;
    assert_int_equal(rh_output_open(&file, "/dev/null", &error), RH_OK);
    fputs("text", file.stream);
    assert_int_equal(rh_output_commit(&file, &error), RH_OK);
    assert_int_equal(rh_output_open(&file, "/dev/full", &error), RH_OK);
    fputs("text", file.stream);
    assert_int_equal(rh_output_commit(&file, &error), RH_SYSTEM);
    assert_non_null(strstr(error.message, strerror(ENOSPC)));
    assert_int_equal(rh_output_open(&file, "/dev/null", &error), RH_OK);
    rh_output_abandon(&file);
    struct stat what;
    assert_int_equal(stat("/dev/null", &what), 0);
    assert_true(S_ISCHR(what.st_mode));
}

static void
links_are_followed(void **state)
{
    (void)state;
    char target[600], link_path[600];
    place(target, sizeof target, "target");
    place(link_path, sizeof link_path, "link");
    rh_output_file file;
    rh_error error;
    assert_int_equal(rh_output_open(&file, target, &error), RH_OK);
    assert_int_equal(rh_output_commit(&file, &error), RH_OK);
    assert_int_equal(symlink("target", link_path), 0);
    assert_int_equal(rh_output_open(&file, link_path, &error), RH_OK);
    fputs("through", file.stream);
    assert_int_equal(rh_output_commit(&file, &error), RH_OK);
    expect_content(target, "through");
    struct stat what;
    assert_int_equal(lstat(link_path, &what), 0);
    assert_true(S_ISLNK(what.st_mode));
}

static void
prints(const rh_table *table, const char *expected)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    rh_table_print(table, out);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void
tables_line_up(void **state)
{
    (void)state;
    rh_table *table = rh_table_new(3);
    static const char *const cells[] = {"name", "bytes", "note",      "a",     "7",
                                        "x",    "µs",    "1,048,576", "longer"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        rh_table_cell(table, "%s", cells[i]);
    prints(table, "name      bytes  note\n"
                  "a             7  x\n"
                  "µs    1,048,576  longer\n");
    rh_table_free(table);
    rh_table_free(NULL);
}

static void
texts_stay_on_their_line(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    assert_non_null(out);
    rh_output_plain("µ\na\t\033[2Jb\x7f", out);
    fclose(out);
    assert_string_equal(text, "µ\\na\\x09\\x1b[2Jb\\x7f");
    free(text);
}

static void
lines_do_not_end_in_spaces(void **state)
{
    (void)state;
    rh_table *table = rh_table_new(3);
    static const char *const cells[] = {"",       "",   "", "a", "7", "note",
                                        "longer", "10", "", "",  "",  "x"};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        rh_table_cell(table, "%s", cells[i]);
    prints(table, "\n"
                  "a        7  note\n"
                  "longer  10\n"
                  "            x\n");
    rh_table_free(table);
}

static void
tables_grow(void **state)
{
    (void)state;
    rh_table *table = rh_table_new(1);
    rh_table_cell(table, "n");
    for (int i = 0; i < 1000; i++)
        rh_table_cell(table, "%d", i);
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    rh_table_print(table, out);
    fclose(out);
    assert_int_equal(length, 1001 * 4);
    assert_string_equal(text + length - 8, "998\n999\n");
    free(text);
    rh_table_free(table);
}

/* In a child, since the answer to a second signal is to end. */
static void
first_signal_asks_and_second_ends(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        rh_interrupt_watch();
        if (rh_interrupted())
            _exit(1);
        raise(SIGINT);
        if (!rh_interrupted())
            _exit(2);
        raise(SIGINT);
        _exit(3);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
}

static void
a_file_has_a_name(void **state)
{
    (void)state;
    rh_output_file file;
    rh_error error;
    assert_int_equal(rh_output_open(&file, "", &error), RH_USAGE);
    assert_non_null(strstr(error.message, "is empty"));
}

int
main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(appears_only_when_committed),
        IN_FOLDER(abandoned_leaves_what_was_there),
        IN_FOLDER(leaves_nothing_on_a_full_disk),
        IN_FOLDER(says_why_it_cannot_create),
        IN_FOLDER(a_folder_is_not_replaced),
        IN_FOLDER(leaves_nothing_when_the_rename_fails),
        IN_FOLDER(links_are_followed),
        cmocka_unit_test(a_file_has_a_name),
        cmocka_unit_test(devices_are_written_to_and_stay),
        cmocka_unit_test(tables_line_up),
        cmocka_unit_test(lines_do_not_end_in_spaces),
        cmocka_unit_test(texts_stay_on_their_line),
        cmocka_unit_test(tables_grow),
        cmocka_unit_test(first_signal_asks_and_second_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
