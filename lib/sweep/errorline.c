#include "errorline.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL = 256 << 10 };

/* What a line says of its program. */
enum rank { NOTHING, TEXT, WEAK, STRONG };

struct line {
    const char *s;
    size_t len;
};

/* --- one line ------------------------------------------------------------ */

static bool has(const struct line *l, const char *word)
{
    return memmem(l->s, l->len, word, strlen(word)) != NULL;
}

/* word as a word of its own, in any case: "error" but not "test_error". */
static bool has_word(const struct line *l, const char *word)
{
    size_t n = strlen(word);
    size_t i;

    for (i = 0; i + n <= l->len; i++) {
        if (strncasecmp(l->s + i, word, n) != 0)
            continue;
        if ((i == 0 || !(isalnum((unsigned char)l->s[i - 1]) ||
                         l->s[i - 1] == '_')) &&
            (i + n == l->len || !(isalnum((unsigned char)l->s[i + n]) ||
                                  l->s[i + n] == '_')))
            return true;
    }
    return false;
}

static bool ends_in(const char *s, size_t len, const char *end)
{
    size_t n = strlen(end);

    return len > n && memcmp(s + len - n, end, n) == 0;
}

/* Python's last line of a traceback: "some.module.NameError: text", or
 * "KeyboardInterrupt" alone. */
static bool is_exception(const struct line *l)
{
    static const char *const ends[] = {"Error", "Exception", "Interrupt",
                                       "Failure", "Exit", "Fault"};
    size_t n = 0;
    size_t i;

    while (n < l->len && (isalnum((unsigned char)l->s[n]) ||
                          l->s[n] == '_' || l->s[n] == '.'))
        n++;
    if (n == 0 || isdigit((unsigned char)l->s[0]) ||
        (n < l->len && l->s[n] != ':'))
        return false;
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        if (ends_in(l->s, n, ends[i]) ||
            (n == strlen(ends[i]) && memcmp(l->s, ends[i], n) == 0))
            return true;
    }
    return false;
}

static bool is_crash(const struct line *l)
{
    static const char *const crashes[] = {
        "CUDA out of memory", "CUDA error", "NCCL error", "out of memory",
        "Out of memory", "oom-kill", "OOM Killed", "Segmentation fault",
        "core dumped", "Bus error", "Illegal instruction",
        "command not found", "No space left on device", "Disk quota exceeded",
        "terminate called", "Assertion `", "panicked at", "FATAL", "fatal:",
    };
    size_t i;

    for (i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
        if (has(l, crashes[i]))
            return true;
    }
    return false;
}

static enum rank rank_of(const struct line *l)
{
    if (l->len == 0)
        return NOTHING;
    if (is_exception(l) || is_crash(l))
        return STRONG;
    /* "wandb: WARNING" and "error: 0.12" of a metric are no reasons. */
    if (has_word(l, "error") || has_word(l, "fatal") || has_word(l, "errno") ||
        has(l, "Error:") || has(l, "No such file") ||
        has(l, "Permission denied"))
        return WEAK;
    return TEXT;
}

/* --- the file ------------------------------------------------------------ */

/* The end of the file; *len bytes and a NUL, or NULL. */
static char *read_tail(const char *log, int64_t from, size_t *len)
{
    int fd = open(log, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    char *text = NULL;
    ssize_t n = -1;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if (from > st.st_size || from < 0)
            from = 0; /* the program began the file anew */
        if (st.st_size - from > TAIL)
            from = st.st_size - TAIL;
        text = malloc(TAIL + 1);
        if (text != NULL)
            n = pread(fd, text, TAIL, from);
    }
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *len = (size_t)n;
    return text;
}

/* Without blanks around it, and of a progress bar's line the last state. */
static struct line trim(const char *s, size_t len)
{
    struct line l;
    const char *bar;

    while (len > 0 && isspace((unsigned char)s[len - 1]))
        len--;
    bar = memrchr(s, '\r', len);
    if (bar != NULL) {
        len -= (size_t)(bar + 1 - s);
        s = bar + 1;
    }
    l = (struct line){.s = s, .len = len};
    return l;
}

static void copy_clean(const struct line *l, char *text, size_t size)
{
    size_t used = 0;
    size_t i;

    for (i = 0; i < l->len && used + 1 < size; i++) {
        if (l->s[i] == '\033' && i + 1 < l->len && l->s[i + 1] == '[') {
            while (i < l->len && !isalpha((unsigned char)l->s[i]))
                i++; /* a colour */
            continue;
        }
        text[used++] = (char)(iscntrl((unsigned char)l->s[i]) ? ' '
                                                              : l->s[i]);
    }
    while (used > 0 && ((unsigned char)text[used - 1] & 0xc0) == 0x80 &&
           i < l->len)
        used--; /* not half a character */
    text[used] = '\0';
}

bool errorline_find(const char *log, int64_t from, bool any, char *text,
                    size_t size)
{
    struct line best = {.s = NULL};
    enum rank rank = any ? NOTHING : TEXT;
    size_t len = 0;
    char *tail = read_tail(log, from, &len);
    const char *end;

    text[0] = '\0';
    if (tail == NULL)
        return false;
    for (end = tail + len; end > tail && rank < STRONG;) {
        const char *nl = memrchr(tail, '\n', (size_t)(end - tail));
        const char *begin = nl != NULL ? nl + 1 : tail;
        struct line l = trim(begin, (size_t)(end - begin));
        enum rank r = rank_of(&l);

        if (r > rank) {
            rank = r;
            best = l;
        }
        end = nl != NULL ? nl : tail;
    }
    if (best.s != NULL) {
        while (best.len > 0 && isspace((unsigned char)best.s[0])) {
            best.s++;
            best.len--;
        }
        copy_clean(&best, text, size);
    }
    free(tail);
    return text[0] != '\0';
}
