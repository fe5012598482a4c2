/*
 * Files: whole reads, atomic writes, durable renames. All calls are relative
 * to a directory descriptor (AT_FDCWD for the working directory), open with
 * O_CLOEXEC and do not follow a symlink in the last component.
 */
#ifndef RELAY_FILE_H
#define RELAY_FILE_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* Reads the whole of a regular file of at most max bytes. Returns malloc'd
 * bytes with a NUL behind them (*len, may be NULL, does not count it), or
 * NULL: err->code is EX_NOINPUT when the file is missing, else EX_IOERR. */
char *file_read(int dirfd, const char *path, size_t max, size_t *len,
                struct relay_error *err);

/* The same from an open descriptor (of any kind; not closed); name is for
 * messages. */
char *file_read_fd(int fd, const char *name, size_t max, size_t *len,
                   struct relay_error *err);

/* Replaces path: temporary file beside it, write, fsync, rename, fsync of
 * the directory. Returns 0 or -1 (EX_CANTCREAT or EX_IOERR). */
int file_write(int dirfd, const char *path, const void *data, size_t len,
               mode_t mode, struct relay_error *err);

/* As file_write, without the fsyncs: whole or not there for every reader, but
 * for what can be made again, whose loss in a power failure costs nothing. */
int file_write_plain(int dirfd, const char *path, const void *data,
                     size_t len, mode_t mode, struct relay_error *err);

/* Writes all of data to an open file. 0, or -1 with errno. */
int file_write_all(int fd, const void *data, size_t len);

/* A listing of the open directory dirfd, which keeps its own place: closedir
 * leaves dirfd open. NULL with errno. */
DIR *file_list(int dirfd);

/* The largest of the remaining names in a listing that are whole numbers; 0
 * for none. */
int64_t file_highest(DIR *dir);

/* Appends one whole line (text without the newline) in one write. Only for
 * files with a single writer. Returns 0 or -1. */
int file_append_line(int dirfd, const char *path, const char *text,
                     struct relay_error *err);

/* mkdir -p with mode for what is made. Returns 0, also when it was there. */
int file_make_dirs(const char *path, mode_t mode, struct relay_error *err);

/* Opens a directory (O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC). fd or -1. */
int file_open_dir(int dirfd, const char *path, struct relay_error *err);

/* fsync of every file and directory below path, and of path. 0 or -1. */
int file_sync_tree(int dirfd, const char *path, struct relay_error *err);

/* Removes a tree of OURS (staging, snapshots): never a user's state. Does
 * not follow symlinks. Missing is fine. Returns 0 or -1. */
int file_remove_tree(int dirfd, const char *path, struct relay_error *err);

/* Hard-links (else reflinks, else copies) every regular file of the tree
 * from into the new directory to, and fsyncs. Returns 0 or -1. */
int file_clone_tree(int dirfd, const char *from, const char *to,
                    struct relay_error *err);

/* Swaps two names in one directory: renameat2(RENAME_EXCHANGE) where the
 * file system has it. *exchanged says whether; false (return 0) means that
 * nothing was done and the caller must rename in two journalled steps. */
int file_exchange(int dirfd, const char *a, const char *b, bool *exchanged,
                  struct relay_error *err);

/* rename within one directory and fsync of it. 0 or -1. */
int file_rename(int dirfd, const char *from, const char *to,
                struct relay_error *err);

/* "/dir/path" for messages, whatever dirfd is; returns text. */
const char *file_where(int dirfd, const char *path, char *text, size_t size);

/* Makes a fresh nonce: 32 hex digits and NUL into nonce[33]. 0 or -1. */
int file_nonce(char nonce[33], struct relay_error *err);

#endif
