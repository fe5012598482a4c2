/* What a cell wrote: does each file load? (ssweep verify) */
#ifndef RELAY_ARTEFACTS_H
#define RELAY_ARTEFACTS_H

#include <stdbool.h>
#include <stddef.h>

/* Called for a file that is not good; why is "" for an empty one. */
typedef void artefact_fn(void *arg, const char *file, const char *why);

/* Looks at every *.pt *.pth *.ckpt *.safetensors *.json *.npz below dir
 * (a symlink to one is followed, directories are not). deep reads them whole;
 * otherwise only empty and dangling ones are found. Calls bad for each that is
 * not good; file is relative to dir. Returns how many were looked at. */
size_t artefacts_check(const char *dir, bool deep, artefact_fn *bad,
                       void *arg);

/* Directories that belong to nobody: beside the cells' own ones. */
struct strays {
    char **parents; /* of the cells' directories, each once */
    size_t nparents;
    unsigned long long *known; /* of all cells' directories, hashed */
    size_t nknown;
    size_t room;
};

/* Notes a cell's directory. 0, or -1 out of memory. */
int strays_know(struct strays *s, const char *dir);

/* Calls found for each directory beside the noted ones that is none of them,
 * nor on the way to one, nor hidden, nor a sweep. */
void strays_find(struct strays *s, void (*found)(void *arg, const char *dir),
                 void *arg);
void strays_free(struct strays *s);

#endif
