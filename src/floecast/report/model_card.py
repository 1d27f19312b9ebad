"""Model card of an emulator as a page."""

from floecast.core.variables import VARIABLES

_LEADS = (12, 24, 72, 120, 240)


def card_page(card, name):
    """Markdown of a model card.

    Parameters
    ----------
    card : dict
        ``model_card.json`` of a training.
    name : str
        Of the emulator.

    Returns
    -------
    str
    """
    training, machine, told = card["training"], card["machine"], card["validation"]
    stages = "; ".join(
        f"{one['name']}: {one['updates']} updates of {one['batch']} pieces, chains of "
        f"{one['steps']}, {one['members']} member{'s' * (one['members'] > 1)}"
        for one in training["stages"]
    )
    lines = [
        f"# Model card: {name}",
        "",
        f"Steps of {training['step_hours']} h on {training['preset']}, "
        f"{card['parameters'] / 1e6:.2f} million parameters.",
        "",
        f"- Settings: those of `{card['command']}`, files without their folders.",
        f"- Data: {_data(card['data'])}.",
        f"- Training: {stages}; seed {training['seed']}.",
        f"- Hardware: {machine['cores']} cores, {', '.join(card['devices'])}; hours: "
        + ", ".join(f"{stage} {hours:.2f}" for stage, hours in card["hours"].items())
        + ".",
        "- Use: forecasts of days to weeks with the weather given. It knows the simulator it "
        "learned from, not the real ocean or the real ice.",
        "",
        f"Validation on weather not learned from, {told['forecasts']} forecasts of "
        f"{told['members']} members, perfect forcing; over the sea, by area, of the ensemble mean; "
        "drift over ice.",
    ]
    for title, key in (
        ("Error over that of persistence", "error_over_persistence"),
        ("Spread over error", "spread_over_error"),
        ("Error", "error"),
    ):
        leads = [lead for lead in _LEADS if lead in told["lead_hours"]]
        lines += ["", f"| {title} | {' | '.join(f'{lead} h' for lead in leads)} |"]
        lines += ["|---" * (len(leads) + 1) + "|"]
        for field, values in told[key].items():
            unit = f" [{VARIABLES[field].unit}]" if key == "error" else ""
            cells = [f"{values[told['lead_hours'].index(lead)]:.3g}" for lead in leads]
            lines.append(f"| {field.replace('_', ' ')}{unit} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _data(config):
    source = config.get("source", {})
    if source.get("kind") == "files":
        return "files of " + ", ".join(source["ice"])
    archives = source.get("archives")
    if archives:
        years = {split: [one["years"] for one in chosen] for split, chosen in archives.items()}
        return "simulated years " + "; ".join(
            f"{split} {', '.join(str(y) for one in found for y in one or ['all'])}"
            for split, found in years.items()
        )
    if "years" in source:
        years, seeds = source["years"], source["seeds"]
        return "simulated years, " + ", ".join(
            f"{split} {years[split]} (seed {seeds[split]})" for split in years if years[split]
        )
    return str(config.get("name", "unknown"))
