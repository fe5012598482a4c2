/* Dates and times of YAML 1.1, which Python makes datetime objects of. */
#include <string.h>
#include <sysexits.h>

#include "yaml11_scalar.h"

struct stamp {
    int year, month, day;
    bool has_time;
    int hour, minute, second, micro;
    char zone; /* 0: none, 'Z', or the sign */
    int zone_hour, zone_minute;
};

static bool take_number(const char **p, int least, int most, int *n)
{
    int i;

    *n = 0;
    for (i = 0; i < most && **p >= '0' && **p <= '9'; i++)
        *n = *n * 10 + (*(*p)++ - '0');
    return i >= least;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

/* Digits after the point, the first six of them count. */
static void take_fraction(const char **p, int *micro)
{
    int scale = 100000;

    for (; **p >= '0' && **p <= '9'; (*p)++) {
        *micro += (**p - '0') * scale;
        scale /= 10;
    }
}

static bool take_zone(const char **p, struct stamp *s)
{
    const char *blanks = *p;

    *p += strspn(*p, " \t");
    if (take_char(p, 'Z')) {
        s->zone = 'Z';
        return true;
    }
    if (**p != '+' && **p != '-') {
        *p = blanks;
        return true;
    }
    s->zone = *(*p)++;
    if (!take_number(p, 1, 2, &s->zone_hour))
        return false;
    return !take_char(p, ':') || take_number(p, 2, 2, &s->zone_minute);
}

static bool take_time(const char **p, struct stamp *s)
{
    s->has_time = true;
    if (!take_number(p, 1, 2, &s->hour) || !take_char(p, ':') ||
        !take_number(p, 2, 2, &s->minute) || !take_char(p, ':') ||
        !take_number(p, 2, 2, &s->second))
        return false;
    if (take_char(p, '.'))
        take_fraction(p, &s->micro);
    return take_zone(p, s);
}

/* The regular expression of resolver.py, or the looser one of constructor.py
 * (a date of one-digit month and day without a time). */
static bool parse_stamp(const char *text, bool loose, struct stamp *s)
{
    const char *p = text, *month, *day;
    size_t blanks;

    memset(s, 0, sizeof(*s));
    if (!take_number(&p, 4, 4, &s->year) || !take_char(&p, '-'))
        return false;
    month = p;
    if (!take_number(&p, 1, 2, &s->month) || !take_char(&p, '-'))
        return false;
    day = p;
    if (!take_number(&p, 1, 2, &s->day))
        return false;
    if (*p == '\0')
        return loose || (day - month == 3 && p - day == 2);
    blanks = strspn(p, " \t");
    if (blanks == 0 && *p != 'T' && *p != 't')
        return false;
    p += blanks > 0 ? blanks : 1;
    return take_time(&p, s) && *p == '\0';
}

bool scalar_is_date(const char *text)
{
    struct stamp s;

    return parse_stamp(text, false, &s);
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30,
                               31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

static bool exists(const struct stamp *s)
{
    return s->year >= 1 && s->month >= 1 && s->month <= 12 && s->day >= 1 &&
           s->day <= days_of(s->year, s->month) && s->hour <= 23 &&
           s->minute <= 59 && s->second <= 59 &&
           s->zone_hour * 60 + s->zone_minute < 24 * 60;
}

int scalar_make_date(const char *text, struct value *v,
                     struct relay_error *err)
{
    struct text out = {0};
    struct stamp s;
    int rc;

    if (!parse_stamp(text, true, &s) || !exists(&s))
        return relay_fail(err, EX_DATAERR,
                          "\"%.60s\" is a date for YAML 1.1, and there is "
                          "none like it; write \"%.60s\" in quotes", text,
                          text);
    text_printf(&out, "%04d-%02d-%02d", s.year, s.month, s.day);
    if (s.has_time)
        text_printf(&out, " %02d:%02d:%02d", s.hour, s.minute, s.second);
    if (s.micro != 0)
        text_printf(&out, ".%06d", s.micro);
    if (s.zone != '\0') {
        int minutes = s.zone_hour * 60 + s.zone_minute;

        text_printf(&out, "%c%02d:%02d",
                    s.zone == '-' && minutes != 0 ? '-' : '+', minutes / 60,
                    minutes % 60);
    }
    if (out.failed)
        rc = relay_fail(err, EX_OSERR, "out of memory");
    else
        rc = value_set_str(v, text_str(&out), out.len, err);
    if (rc == 0)
        v->kind = VALUE_DATE;
    text_free(&out);
    return rc;
}
