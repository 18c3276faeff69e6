// What the case files share with main.c.
#pragma once

/** One case: `op(arg)` is the operation that is timed; setup and teardown run around the whole measurement. */
struct bench {
  const char *name;
  void (*op)(long arg);
  long arg;
  void (*setup)(void);
  void (*teardown)(void);
};

/** Each ends with a row without a name. */
extern const struct bench call_cases[], file_cases[], memory_cases[], wait_cases[], network_cases[], process_cases[];

/** A folder that is the program's own, and the program itself. */
extern char work_dir[4096];
extern char self_path[4096];

/** Ends the program with the name of the case, what failed, and errno's text. */
_Noreturn void die(const char *what);
