"""The page on scaling, from the numbers."""


def scaled(lines, kind, strong):
    """Cases of one kind with the processor time over that of perfect sharing.

    Strong: the same work on more devices. Weak: work that grows with the devices, for each of them.
    """
    some = [line for line in lines if line["kind"] == kind]
    if not strong and some[-1]["size"] == some[0]["size"]:
        return []  # the weak case is missing
    per_device = some[-1]["size"] // some[-1]["devices"]  # the last is the weak one
    if strong:
        some = [line for line in some if line["size"] == some[0]["size"]]
    else:
        some = [line for line in some if line["size"] == per_device * line["devices"]]
        some.sort(key=lambda line: line["devices"])
    first = some[0]
    share = [1 if strong else line["devices"] / first["devices"] for line in some]
    return [
        line | {"ratio": line["cpu"] / first["cpu"] / part}
        for line, part in zip(some, share, strict=True)
    ]


def page(told, machine, cores):
    """Text of README.md."""
    numbers = {name: part["numbers"] for name, part in told.items()}
    kill, estimate = numbers["kill"], numbers["estimate"]
    return f"""# Scaling over devices and processes

Made with

```
python validation/scaling/make.py --work DIR
```

Machine: {machine["cores"]} cores ({machine["cpu"]}), of which {cores} for this, shared with other
work; jax {machine["jax"]}. No GPU was measured. Wall times of a shared machine say little, so
ratios of processor time are told: what sharing costs, not how fast it would be.

![Overhead on simulated devices, and the estimate](scaling.png)

## Simulated devices

Processor time of a call over that of perfect sharing (1 is ideal), median of three calls, load
{told["devices"]["load"]}. Devices are simulated on the CPU
(`--xla_force_host_platform_device_count=4`). Members: two steps of an emulator of arctic100 with a
network of one level, untrained and compiled without most optimisations; batches: loss and gradient
of one step with two members for each piece. Difference: from the first case of that size, over the
largest value.

| | devices | members or pieces | processor time [s] | over ideal | difference |
|---|---|---|---|---|---|
{_devices(numbers["devices"])}

## Processes

Tasks of a farm that compute for a fraction of a second (`validation/scaling/tasks.py`), the
hardest case for it: a year of arctic50 takes some thousand times as long. Workers are started for
each case. Load {told["farm"]["load"]}.

| workers | tasks | wall [s] | processor time of the workers [s] | of which in the tasks [s] |
|---|---|---|---|---|
{_farm(numbers["farm"])}

{_farm_words(numbers["farm"], cores)}

## A worker killed

{_kill(kill)}

## An estimate for large cases

Not measured: work counted in this version times assumed speeds, listed in `docs/larger_cases.md`
with where each comes from.

| counted (`validation/scaling/estimate.py`) | |
|---|---|
{_counts(estimate["counts"])}

| case | cells | GPUs | memory of a GPU [GB] | time [min] | of which halo |
|---|---|---|---|---|---|
{_cases(estimate["cases"])}
"""


def _kill(kill):
    if kill is None:
        return "Not measured yet: the machine was too busy; `validation/scaling/kill.py` does it."
    verdict = "all the same" if not kill["different"] else f"different: {kill['different']}"
    return (
        "A year of arctic100 (`floecast farm`, one worker) whose worker got SIGKILL "
        f"{kill['kills']} times, each after another block, beside the same year by `floecast "
        f"simulate`: {kill['files']} files of the archive, restart and monthly states compared "
        f"byte by byte, {verdict}."
    )


def _devices(lines):
    rows = []
    for kind in dict.fromkeys(line["kind"] for line in lines):
        for strong in (True, False):
            for line in scaled(lines, kind, strong):
                name = f"{kind}, {'strong' if strong else 'weak'}"
                rows.append(
                    f"| {name} | {line['devices']} | {line['size']} | {line['cpu']:.2f} | "
                    f"{line['ratio']:.2f} | {line['apart']:.1g} |"
                )
    return "\n".join(rows)


def _farm(lines):
    return "\n".join(
        f"| {line['workers']} | {line['tasks']} | {line['wall']:.1f} | {line['cpu']:.1f} | "
        f"{line['task_cpu']:.2f} |"
        for line in lines
    )


def _farm_words(lines, cores):
    one, two, half = lines
    start = (one["cpu"] - one["task_cpu"], two["cpu"] - two["task_cpu"])
    text = (
        f"Strong, the same tasks on two workers: {two['task_cpu'] / one['task_cpu']:.2f} of the "
        f"processor time in the tasks, and {two['wall'] / one['wall']:.2f} of the wall time; weak, "
        f"for each task: {2 * half['task_cpu'] / two['task_cpu']:.2f} of the processor time on one "
        f"worker. What is not in the tasks, {start[0]:.1f} and {start[1]:.1f} s, is to start one "
        "and two processes, to talk to them, and to end them. "
    )
    if cores == 1:
        text += "Both workers had one core, so that two could not be faster. "
    same = "the same to the bit" if all(line["same"] for line in lines) else "NOT the same"
    return text + f"Results are {same} whatever the number of workers."


def _counts(counts):
    words = {
        "emulator_flops_per_cell": "emulator, a step of 12 h, operations for a cell (XLA)",
        "emulator_bytes_per_cell": "the same, bytes moved for a cell (XLA, on the CPU)",
        "emulator_working_bytes_per_cell": "working memory of a member for a cell [bytes]",
        "emulator_state_bytes_per_cell": "state of a member for a cell [bytes]",
        "bbm_bytes_per_cell_substep": "BBM, bytes that a substep must move for a cell",
        "simulator_state_bytes_per_cell": "state of the simulator for a cell [bytes]",
    }
    return "\n".join(f"| {text} | {counts[name]:,.0f} |" for name, text in words.items())


def _cases(cases):
    return "\n".join(
        f"| {case['case']} | {case['cells']:,} | {case['gpus']} | {case['memory_gb']:.2g} | "
        f"{case['minutes']:.3g} | {case['halo_share']:.0%} |"
        for case in cases
    )
