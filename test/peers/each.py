# Runs programs one after the other, each in a folder of its own, and says how each ended: each.py SECONDS FILE...
import os, signal, subprocess, sys, tempfile, time

limit = float(sys.argv[1])
for path in sys.argv[2:]:
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='vedette-peer-') as folder, tempfile.TemporaryFile() as out:
        env = dict(os.environ, NODE_TEST_DIR=folder, TEST_THREAD_ID='0')
        flags = []
        for line in open(path, errors='replace'):
            if line.startswith('// Flags:'):
                flags = line[9:].split()
        p = subprocess.Popen(['node', *flags, path], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, start_new_session=True)
        try:
            status = p.wait(limit)
        except subprocess.TimeoutExpired:
            status = 'TIMEOUT'
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        p.wait()
        out.seek(0)
        text = out.read().decode(errors='replace')
    word = 'TIMEOUT' if status == 'TIMEOUT' else 'FAIL' if status != 0 else 'skip' if text.startswith('1..0 # Skipped') else 'ok'
    print(word, os.path.basename(path), '%.2f' % (time.monotonic() - start), flush=True)
    if word in ('FAIL', 'TIMEOUT') and os.environ.get('SHOW'):
        print('    ' + '\n    '.join(text.splitlines()[-40:]), flush=True)
