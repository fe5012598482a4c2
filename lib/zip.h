/*
 * The structure of a ZIP file (APPNOTE.TXT 6.3): the inner half of ptcheck.c.
 * Nothing that the file says of itself is believed before it was held against
 * the file's real size and against the other places that say the same.
 */
#ifndef RELAY_ZIP_H
#define RELAY_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct zip_entry {
    uint64_t local; /* where its local header begins */
    uint64_t data;  /* where its bytes begin; 0 until zip_check_local */
    uint64_t csize; /* compressed */
    uint64_t usize;
    uint64_t limit; /* its bytes and descriptor end here at the latest */
    uint32_t crc;
    uint16_t flags;
    uint16_t method;
    const unsigned char *name; /* not ended by a NUL; in the directory */
    uint16_t name_len;
};

struct zip {
    int fd;
    const char *where; /* for messages */
    uint64_t size;     /* of the file */
    uint64_t begin;    /* of the central directory */
    unsigned char *directory;
    uint64_t directory_len;
    struct zip_entry *entries; /* by the place of their local headers */
    size_t n;
};

#define ZIP_STORED 0
#define ZIP_DEFLATED 8
#define ZIP_ENCRYPTED 0x1
#define ZIP_DESCRIPTOR 0x8 /* CRC and sizes stand behind the bytes, too */

/* Reads end record and central directory. 1 good; 0 when no end record is
 * there (then it is no ZIP, or a truncated one); -1 with EX_DATAERR or
 * EX_IOERR. Free with zip_free in every case. */
int zip_open(int fd, const char *where, struct zip *zip,
             struct relay_error *err);
void zip_free(struct zip *zip);

/* Holds the local header, and the descriptor where there is one, against the
 * central directory; fills in e->data. 0 or -1. */
int zip_check_local(const struct zip *zip, struct zip_entry *e,
                    struct relay_error *err);

/* Reads the entry's bytes (inflates them), gives their CRC-32. 0; -1 when
 * they cannot be read, do not inflate, or have another size. */
int zip_crc(const struct zip *zip, const struct zip_entry *e, uint32_t *crc,
            struct relay_error *err);

/* Reads exactly len bytes at offset. 0 or -1. */
int zip_read(const struct zip *zip, uint64_t offset, void *data, size_t len,
             struct relay_error *err);

/* "WHERE: entry "NAME": WHAT" as EX_DATAERR; NAME made printable. -1. */
int zip_bad_entry(const struct zip *zip, const struct zip_entry *e,
                  const char *what, struct relay_error *err);

/* Little-endian numbers. */
uint16_t zip_u16(const unsigned char *p);
uint32_t zip_u32(const unsigned char *p);
uint64_t zip_u64(const unsigned char *p);

/* The payload of extra field id in len bytes of fields, or NULL. */
const unsigned char *zip_extra(const unsigned char *fields, size_t len,
                               uint16_t id, size_t *field_len);

#define ZIP_EXTRA_64 1
#define ZIP_FULL32 0xffffffffU /* "look into the ZIP64 field" */

#endif
