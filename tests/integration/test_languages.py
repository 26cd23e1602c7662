"""Every script language with its real interpreter, as processes and in containers.

The interpreters of `HERE` are installed by tests/services/setup.sh. Those of `BY_HAND` are too
heavy for every run: `TEST_LANGUAGES="go r …"` adds them, where they are on the PATH.
"""

import os
import shutil

import pytest

from runner.model.flow import Task, TaskKind
from runner.model.logs import Level
from runner.plugin import TaskError
from runner.registry import load
from runner.testing import FakeRunContext

PROCESS = {"type": "io.kestra.plugin.core.runner.Process"}
DOCKER = {"type": "io.kestra.plugin.scripts.runner.docker.Docker", "pullPolicy": "NEVER"}

# Each program prints the variable WHO, writes it to out.txt, gives it as an output, complains on
# stderr and ends with 3.
PROGRAMS = {
    "shell": """
        echo "$WHO"
        printf %s "$WHO" > out.txt
        echo '::{"outputs":{"who":"'$WHO'"}}::'
        echo oops >&2
        exit 3
    """,
    "python": """
        import os, sys
        from kestra import Kestra
        print(os.environ["WHO"])
        open("out.txt", "w").write(os.environ["WHO"])
        Kestra.outputs({"who": os.environ["WHO"]})
        print("oops", file=sys.stderr)
        sys.exit(3)
    """,
    "node": """
        const who = process.env.WHO
        console.log(who)
        require('fs').writeFileSync('out.txt', who)
        console.log('::' + JSON.stringify({outputs: {who}}) + '::')
        console.error('oops')
        process.exitCode = 3
    """,
    "perl": """
        print "$ENV{WHO}\\n";
        open(my $file, '>', 'out.txt'); print $file $ENV{WHO}; close($file);
        print '::{"outputs":{"who":"', $ENV{WHO}, '"}}::', "\\n";
        print STDERR "oops\\n";
        exit 3;
    """,
    "ruby": """
        require 'json'
        puts ENV['WHO']
        File.write('out.txt', ENV['WHO'])
        puts "::#{JSON.generate({outputs: {who: ENV['WHO']}})}::"
        warn 'oops'
        exit 3
    """,
    "lua": """
        local who = os.getenv("WHO")
        print(who)
        local file = io.open("out.txt", "w"); file:write(who); file:close()
        print('::{"outputs":{"who":"' .. who .. '"}}::')
        io.stderr:write("oops\\n")
        os.exit(3)
    """,
    "php": """
        <?php
        $who = getenv('WHO');
        echo $who, PHP_EOL;
        file_put_contents('out.txt', $who);
        echo '::', json_encode(['outputs' => ['who' => $who]]), '::', PHP_EOL;
        fwrite(STDERR, "oops\\n");
        exit(3);
    """,
    "go": """
        package main

        import ("fmt"; "os")

        func main() {
            who := os.Getenv("WHO")
            fmt.Println(who)
            os.WriteFile("out.txt", []byte(who), 0o644)
            fmt.Printf("::{\\"outputs\\":{\\"who\\":%q}}::\\n", who)
            fmt.Fprintln(os.Stderr, "oops")
            os.Exit(3)
        }
    """,
    "r": """
        who <- Sys.getenv("WHO")
        cat(who, "\\n", sep = "")
        cat(who, file = "out.txt")
        cat('::{"outputs":{"who":"', who, '"}}::\\n', sep = "")
        message("oops")
        quit(status = 3)
    """,
    "groovy": """
        def who = System.getenv('WHO')
        println who
        new File('out.txt').text = who
        println '::' + groovy.json.JsonOutput.toJson([outputs: [who: who]]) + '::'
        System.err.println 'oops'
        System.exit(3)
    """,
    "deno": """
        const who: string = 'Ada' // without -A it may read no variable and write no file
        console.log(who)
        console.log('::' + JSON.stringify({outputs: {who}}) + '::')
        console.error('oops')
        Deno.exit(3)
    """,
    "bun": """
        const who: string = process.env.WHO
        console.log(who)
        require('fs').writeFileSync('out.txt', who)
        console.log('::' + JSON.stringify({outputs: {who}}) + '::')
        console.error('oops')
        process.exitCode = 3
    """,
    "julia": """
        who = ENV["WHO"]
        println(who)
        write("out.txt", who)
        println("::{\\"outputs\\":{\\"who\\":\\"$who\\"}}::")
        println(stderr, "oops")
        exit(3)
    """,
    "jbang": """
        class hello {
            public static void main(String... args) throws Exception {
                var who = System.getenv("WHO");
                System.out.println(who);
                java.nio.file.Files.writeString(java.nio.file.Path.of("out.txt"), who);
                System.out.println("::{\\"outputs\\":{\\"who\\":\\"" + who + "\\"}}::");
                System.err.println("oops");
                System.exit(3);
            }
        }
    """,
    "powershell": """
        Write-Output $env:WHO
        Set-Content -NoNewline -Path out.txt -Value $env:WHO
        Write-Output ('::' + (@{outputs = @{who = $env:WHO}} | ConvertTo-Json -Compress) + '::')
        [Console]::Error.WriteLine('oops')
        exit 3
    """,
}
CALLS = {
    "shell": ("sh", "sh program"),
    "python": ("python3", "python program"),
    "node": ("node", "node program.js"),
    "perl": ("perl", "perl program"),
    "ruby": ("ruby", "ruby program"),
    "lua": ("lua", "lua program"),
    "php": ("php", "php program"),
    "go": ("go", "go run program.go"),
    "r": ("Rscript", "Rscript program"),
    "groovy": ("groovy", "groovy program"),
    "deno": ("deno", "deno run -A program.ts"),
    "bun": ("bun", "bun run program.ts"),
    "julia": ("julia", "julia program"),
    "jbang": ("jbang", "jbang --quiet program.java"),
    "powershell": ("pwsh", "& ./program.ps1"),
}
ENDS = {"go": 1}  # `go run` says 1 whatever the program says
ENVIRONMENT = {"WHO": "Ada"} | {
    name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ
}
HERE = ["shell", "python", "node", "perl", "ruby", "lua", "php"]
BY_HAND = sorted(set(CALLS) - set(HERE))
WANTED = HERE + [name for name in BY_HAND if name in os.environ.get("TEST_LANGUAGES", "").split()]


@pytest.fixture(scope="module")
def registry():
    return load()


@pytest.fixture
def ctx(tmp_path):
    return FakeRunContext(tmp_path)


@pytest.fixture
def run(registry, ctx):
    def run(kind, **properties):
        task = Task("t", f"io.kestra.plugin.scripts.{kind}", TaskKind.WORKER, properties)
        return registry.build(task, lambda value, typed: ctx.render(value, typed=typed)).run(ctx)

    return run


@pytest.fixture(params=WANTED)
def language(request):
    program, _ = CALLS[request.param]
    if shutil.which(program) is None:
        pytest.fail(f"{program} is not on the PATH; run tests/services/setup.sh")
    return request.param


def dedented(text):
    return "\n".join(line.removeprefix("        ") for line in text.strip("\n").splitlines())


def check(ctx, outputs, language):
    """See that a program was heard: its output, its lines by stream, its file, its exit code."""
    assert outputs.exit_code == ENDS.get(language, 3)
    assert outputs.vars == {"who": "Ada"}
    assert ctx.log.messages(Level.INFO) == ["Ada"]
    assert "oops" in ctx.log.messages(Level.ERROR)
    if language != "deno":
        assert ctx.files.stored[outputs.output_files["out.txt"]] == b"Ada"


def test_a_program_is_heard(run, ctx, language):
    with pytest.raises(TaskError, match=r"^Command failed with exit code \d$") as caught:
        run(
            f"{language}.Script",
            taskRunner=PROCESS,
            script=dedented(PROGRAMS[language]),
            env=ENVIRONMENT,
            outputFiles=["out.txt"],
        )

    check(ctx, caught.value.outputs, language)


def test_commands_call_a_program(run, ctx, language):
    call = CALLS[language][1]
    name = next(word for word in call.split() if "program" in word)

    with pytest.raises(TaskError, match=r"^Command failed with exit code \d$") as caught:
        run(
            f"{language}.Commands",
            taskRunner=PROCESS,
            beforeCommands=["echo before > before.txt"],
            inputFiles={name: dedented(PROGRAMS[language])},
            commands=[call],
            env=ENVIRONMENT,
            outputFiles=["*.txt"],
        )

    assert "before.txt" in caught.value.outputs.output_files
    check(ctx, caught.value.outputs, language)
