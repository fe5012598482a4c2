/*
 * Which Slurm is a SPANK plugin built for? SPANK_PLUGIN() stores it in the
 * symbol plugin_version. It is read from the file: a plugin that is linked
 * with -z now cannot be loaded outside Slurm's own programs.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "doctor.h"
#include "file.h"

enum { PLUGIN_MAX = 64 << 20 };

struct elf {
    const char *data;
    size_t len;
    Elf64_Ehdr head;
};

/* Copies size bytes at offset; false when they are outside the file. */
static bool take(const struct elf *elf, uint64_t offset, void *to, size_t size)
{
    if (offset > elf->len || size > elf->len - offset)
        return false;
    memcpy(to, elf->data + offset, size);
    return true;
}

static bool section(const struct elf *elf, size_t i, Elf64_Shdr *sh)
{
    return i < elf->head.e_shnum &&
           take(elf, elf->head.e_shoff + i * sizeof(*sh), sh, sizeof(*sh));
}

/* The 32 bits that symbol sym names. */
static bool value_of(const struct elf *elf, const Elf64_Sym *sym,
                     uint32_t *value)
{
    Elf64_Shdr sh;

    return section(elf, sym->st_shndx, &sh) && sh.sh_type != SHT_NOBITS &&
           sym->st_value >= sh.sh_addr &&
           take(elf, sh.sh_offset + (sym->st_value - sh.sh_addr), value,
                sizeof(*value));
}

static bool name_is(const struct elf *elf, const Elf64_Shdr *names,
                    const Elf64_Sym *sym, const char *name)
{
    char text[32];
    size_t size = strlen(name) + 1;

    return size <= sizeof(text) && sym->st_name < names->sh_size &&
           take(elf, names->sh_offset + sym->st_name, text, size) &&
           memcmp(text, name, size) == 0;
}

static bool find_value(const struct elf *elf, const char *name,
                       uint32_t *value)
{
    Elf64_Shdr table = {0};
    Elf64_Shdr names;
    Elf64_Sym sym;
    uint64_t at;
    size_t i;

    for (i = 0; section(elf, i, &table); i++) {
        if (table.sh_type == SHT_DYNSYM)
            break;
    }
    if (table.sh_type != SHT_DYNSYM || !section(elf, table.sh_link, &names))
        return false;
    for (at = 0; at + sizeof(sym) <= table.sh_size; at += sizeof(sym)) {
        if (!take(elf, table.sh_offset + at, &sym, sizeof(sym)))
            return false;
        if (name_is(elf, &names, &sym, name))
            return value_of(elf, &sym, value);
    }
    return false;
}

int doctor_plugin_release(const char *path, char *release, size_t size,
                          struct relay_error *err)
{
    struct elf elf = {0};
    char *data = file_read(AT_FDCWD, path, PLUGIN_MAX, &elf.len, err);
    uint32_t version;
    int status = 0;

    if (data == NULL)
        return -1;
    elf.data = data;
    if (!take(&elf, 0, &elf.head, sizeof(elf.head)) ||
        memcmp(elf.head.e_ident, ELFMAG, SELFMAG) != 0 ||
        elf.head.e_ident[EI_CLASS] != ELFCLASS64 ||
        elf.head.e_shentsize != sizeof(Elf64_Shdr) ||
        !find_value(&elf, "plugin_version", &version))
        status = relay_fail(err, EX_DATAERR, "%s is not a plugin of this "
                                             "machine's kind", path);
    else
        snprintf(release, size, "%u.%02u", (unsigned)(version >> 16 & 0xff),
                 (unsigned)(version >> 8 & 0xff));
    free(data);
    return status;
}
