/* Preloaded into a program: breaks it off exactly before or after it writes the N-th line of its journal in this run.
 *
 *   AT_JOURNAL  the journal's path          AT_LINE    N, from 1; 0 only counts
 *   AT_SIDE     before or after             AT_SIGNAL  what the program sends itself there
 *   AT_TARGET   self, or parent: who gets the signal
 *   AT_REPORT   a file. At the point it gets one line: "point", how many bytes of the journal are on disk for sure, and
 *               the line itself; a program that ends without having come there writes "end" and the
 *               number of its lines.
 *
 * Calls of the kernel are made directly, so that nothing of the C library is in between. Children are not meant.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char journal[256], report[256];
static long chosen, lines, synced;
static int is_after, signal_number, for_parent, has_struck;

static void tell(const char *word, long number, const char *text, size_t length) {
    char line[512];
    int size = snprintf(line, sizeof line, "%s %ld %.*s\n", word, number, (int)(length > 300 ? 300 : length), text);
    int file = open(report, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file >= 0) {
        syscall(SYS_write, file, line, size);
        close(file);
    }
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("AT_JOURNAL"), *line = getenv("AT_LINE"), *side = getenv("AT_SIDE");
    const char *number = getenv("AT_SIGNAL"), *target = getenv("AT_TARGET"), *to = getenv("AT_REPORT");
    if (!path || !line || !side || !number || !target || !to) return;
    snprintf(journal, sizeof journal, "%s", path);
    snprintf(report, sizeof report, "%s", to);
    chosen = atol(line);
    is_after = strcmp(side, "after") == 0;
    signal_number = atoi(number);
    for_parent = strcmp(target, "parent") == 0;
    struct stat found;
    if (stat(journal, &found) == 0) synced = found.st_size;
    unsetenv("LD_PRELOAD");
}

__attribute__((destructor)) static void end(void) {
    if (journal[0] && !has_struck) tell("end", lines, "", 0);
}

static int is_journal(int file) {
    char link[64], path[256];
    if (!journal[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strcmp(path, journal) == 0;
}

static void strike(const char *text, size_t length) {
    has_struck = 1;
    tell("point", synced, text, length - 1);
    kill(for_parent ? getppid() : getpid(), signal_number);
}

ssize_t write(int file, const void *bytes, size_t size) {
    const char *text = bytes;
    /* A single end of line closes a half line that an earlier run left. */
    int is_line = size > 1 && text[size - 1] == '\n' && is_journal(file);
    int is_chosen = is_line && ++lines == chosen;
    if (is_chosen && !is_after) strike(text, size);
    ssize_t written = syscall(SYS_write, file, bytes, size);
    if (is_chosen && is_after) strike(text, size);
    return written;
}

int fdatasync(int file) {
    int outcome = syscall(SYS_fdatasync, file);
    struct stat found;
    if (outcome == 0 && is_journal(file) && fstat(file, &found) == 0) synced = found.st_size;
    return outcome;
}
