"""What a run answers to the items of reporting checklists: one function a topic.

Each returns figures with their intervals and where in the report they stand, or ``None`` where this
run does not know. A part of the evidence that was not measured is no answer.
"""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.evaluation.evidence import Evidence, Interval
from foveal.evaluation.model_choice import describe_choice
from foveal.evaluation.operating_point import OperatingPoint
from foveal.evaluation.operating_wording import describe_chosen, describe_point
from foveal.evaluation.sample_size import describe_sample_sizes
from foveal.evaluation.stability import describe_stability
from foveal.evaluation.subgroup_wording import describe_spread, describe_subgroups
from foveal.evaluation.wording import (
    describe_against_baseline,
    describe_calibration,
    describe_interval,
    describe_prediction_sets,
)
from foveal.reporting.audit import read_audit
from foveal.reporting.checklists.item import RunAnswer, RunFacts
from foveal.text import count_noun, printable

_MAX_NAMED = 8


def method(facts: RunFacts) -> RunAnswer:
    """Which kind of method it is."""
    provenance = facts.provenance
    kind = "" if provenance.model is None else f": {printable(provenance.model.sentence)}"
    network = (
        "a convolutional network, frozen, with a classifier fitted over what it reads"
        if facts.config.get("fine_tune", "none") == "none"
        else "a convolutional network, its last part open to training, and a classifier over it"
    )
    return RunAnswer(
        f"Deep learning: {printable(provenance.backbone)}, {network}{kind}.", "provenance"
    )


def preprocessing(facts: RunFacts) -> RunAnswer:
    """What is done to an image before the network takes it."""
    values = facts.provenance.preprocessing
    size = f"{values.get('height_px')}×{values.get('width_px')} pixels"
    views = ", ".join(facts.provenance.views)
    return RunAnswer(
        f"Every image is brought to {size} ({values.get('fit')}, {values.get('interpolation')}), "
        f"grey levels of more than 8 bits by one window, then to mean {_numbers(values, 'mean')} "
        f"and deviation {_numbers(values, 'std')}; views: {views}. The same steps run in training, "
        "prediction and export.",
        "provenance",
    )


def _numbers(values: object, key: str) -> str:
    found = values.get(key) if hasattr(values, "get") else None
    return ", ".join(f"{one:g}" for one in found) if isinstance(found, (list, tuple)) else "?"


def quality_checks(facts: RunFacts) -> RunAnswer:
    """How the data were checked and prepared."""
    audit = read_audit(facts.audit)
    found = [one.title for one in audit.findings if one.severity != "info"]
    said = "; ".join(found[:3]) if found else "nothing"
    return RunAnswer(
        "Every file was decoded in full; near duplicates, labels, sizes and grey levels were "
        f"checked. Found: {said}. {preprocessing(facts).text}",
        "data",
    )


def included(facts: RunFacts) -> RunAnswer:
    """How many were included and set aside."""
    data = facts.evidence.data
    flow = facts.evidence.flow
    drawn = " A diagram shows the steps." if flow is not None else ""
    aside = f"{count_noun(data.num_bad, 'file')} set aside, each with its reason"
    return RunAnswer(
        f"{count_noun(data.num_images, 'image')} of {count_noun(data.num_groups, 'group')} were "
        f"usable, {aside if data.num_bad else 'none set aside'}; "
        f"{facts.evidence.metrics.num_images:,} were judged.{drawn}",
        "flow" if flow is not None else "data",
    )


def flow_diagram(facts: RunFacts) -> RunAnswer | None:
    """The same as a diagram, where there is one."""
    return None if facts.evidence.flow is None else included(facts)


def subsets(facts: RunFacts) -> RunAnswer:
    """Which part of the data was used."""
    smallest = (facts.config.get("reading") or {}).get("min_images", 1)
    left_out = (
        f" Classes with fewer than {smallest} usable images were left out." if smallest > 1 else ""
    )
    return RunAnswer(
        "Whole images, all that are usable: none was picked, and none cropped by hand."
        f"{left_out} {included(facts).text}",
        "data",
    )


def missing(facts: RunFacts) -> RunAnswer:
    """What became of missing values."""
    num_bad = facts.evidence.data.num_bad
    found = f"{count_noun(num_bad, 'file')} set aside so" if num_bad else "there was none"
    return RunAnswer(
        "A file that cannot be read, or has no label, is set aside and named "
        f"({found}); no value was ever filled in. An image is the only input, so it is there whole "
        "or not at all.",
        "data",
    )


def devices(facts: RunFacts) -> RunAnswer | None:
    """Which devices took the images, where the headers say."""
    subgroups = facts.evidence.subgroups
    found = [] if subgroups is None else [t for t in subgroups.traits if t.origin == "header"]
    if not found:
        return None
    told = [
        f"{trait.name} "
        + ", ".join(f"{printable(one.name)} ({one.num_images:,})" for one in trait.subgroups[:5])
        for trait in found
    ]
    return RunAnswer(f"By the files' headers: {'; '.join(told)}.", "subgroups")


def partition(facts: RunFacts) -> RunAnswer:
    """How the images were assigned to training and testing."""
    return RunAnswer(printable(facts.evidence.protocol.sentence), "provenance")


def disjoint(facts: RunFacts) -> RunAnswer:
    """At which level the parts are disjoint."""
    grouping = facts.evidence.grouping
    copies = "Copies and near duplicates stay on one side."
    if grouping.source is None:
        return RunAnswer(
            f"At the level of images: no groups (patients, parts) are known. {copies}", "leak"
        )
    guess = ", approximately" if grouping.is_approximate else ""
    return RunAnswer(
        f"At the level of groups ({printable(grouping.source)}{guess}): "
        f"{count_noun(facts.evidence.data.num_groups, 'group')}. {copies}",
        "leak",
    )


def sample_size(facts: RunFacts) -> RunAnswer | None:
    """How many images are needed, where that was worked out."""
    sizes = facts.evidence.sample_sizes
    if sizes is None:
        return None
    return RunAnswer(
        f"{describe_sample_sizes(sizes)} The number at hand was not chosen by this.",
        "sample-sizes",
    )


def model(facts: RunFacts) -> RunAnswer:
    """The model in detail."""
    provenance = facts.provenance
    sizes = [provenance.preprocessing.get(side) for side in ("height_px", "width_px")]
    classes = count_noun(facts.evidence.data.num_classes, "class", "classes")
    fitted = "" if provenance.model is None else f" {printable(provenance.model.sentence)};"
    return RunAnswer(
        f"Input 3×{sizes[0]}×{sizes[1]}; {printable(provenance.backbone)}, layer by layer in the "
        f"report;{fitted} {classes}. The whole of it is in model.onnx.",
        "network",
    )


def software(facts: RunFacts) -> RunAnswer:
    """Software with its versions."""
    versions = ", ".join(f"{name} {value}" for name, value in facts.provenance.versions.items())
    return RunAnswer(f"Foveal {facts.provenance.foveal_version}; {versions}.", "provenance")


def initialisation(facts: RunFacts) -> RunAnswer:
    """Where the parameters started."""
    licence = facts.provenance.weights_licence or "licence not recorded"
    return RunAnswer(
        f"The network's parameters are those of {printable(facts.provenance.weights_source)} "
        f"({licence}); the classifier over it is fitted from nothing.",
        "provenance",
    )


def training(facts: RunFacts) -> RunAnswer:
    """How it was trained."""
    config = facts.config
    provenance = facts.provenance
    chosen = "" if provenance.model is None else f"{printable(provenance.model.sentence)}; "
    tuned = config.get("fine_tune", "none")
    augment = (
        f"fine-tuning {tuned}, augmentation {config.get('augment')}"
        if tuned != "none"
        else "no augmentation, nothing of the network trained"
    )
    return RunAnswer(
        f"{chosen}class weights {config.get('class_weights')}; {augment}; seed "
        f"{config.get('seed')}; the penalty is chosen inside the training folds.",
        "provenance",
    )


def selection(facts: RunFacts) -> RunAnswer:
    """How the final model was chosen."""
    choice = facts.evidence.model_choice
    if choice is None:
        return RunAnswer(
            "One kind of classifier was fitted, so none was chosen; its penalty was chosen inside "
            "the training folds.",
            "provenance",
        )
    return RunAnswer(" ".join(describe_choice(choice)[:2]), "provenance")


def ensembling(facts: RunFacts) -> RunAnswer:
    """Whether models were combined."""
    views = facts.provenance.views
    if len(views) > 1:
        return RunAnswer(
            f"One model; what it reads of {len(views)} views of an image ({', '.join(views)}) is "
            "averaged.",
            "provenance",
        )
    return RunAnswer("No ensemble: one model, one view of an image.", "provenance")


def metrics_used(facts: RunFacts) -> RunAnswer:
    """Which measures are used."""
    evidence = facts.evidence
    parts = ["accuracy, balanced accuracy, macro F1 and area under the ROC curve; by class recall,"]
    parts.append("precision, F1 and area; calibration error; coverage of prediction sets")
    if evidence.ordered is not None:
        parts.append("; weighted kappa")
    if facts.evidence.operating is not None:
        parts.append("; sensitivity, specificity, PPV and NPV at a threshold, with curves")
    if facts.evidence.decision_curves is not None:
        parts.append("; net benefit")
    return RunAnswer(f"{' '.join(parts).replace(' ;', ';')}.", "headline")


def uncertainty(facts: RunFacts) -> RunAnswer:
    """How uncertainty is measured."""
    return RunAnswer(f"{printable(facts.evidence.metrics.interval_method)}.", "classes")


def robustness(facts: RunFacts) -> RunAnswer | None:
    """How far answers depend on what should not matter."""
    if facts.evidence.stability is None:
        return None
    return RunAnswer(describe_stability(facts.evidence.stability), "stability")


def variability(facts: RunFacts) -> RunAnswer | None:
    """Where accuracy varies."""
    if facts.evidence.subgroups is None:
        return None
    return RunAnswer(
        f"Exploratory, corrected for their number: {describe_subgroups(facts.evidence.subgroups)}",
        "subgroups",
    )


def fairness(facts: RunFacts) -> RunAnswer | None:
    """Subgroups that the owner named: those that the files part into say nothing of people."""
    subgroups = facts.evidence.subgroups
    named = [] if subgroups is None else [t for t in subgroups.traits if t.origin == "column"]
    if subgroups is None or not named:
        return None
    names = ", ".join(printable(trait.name) for trait in named)
    return RunAnswer(f"Figures by {names}. {describe_subgroups(subgroups)}", "subgroups")


def heterogeneity(facts: RunFacts) -> RunAnswer | None:
    """How far groups differ."""
    subgroups = facts.evidence.subgroups
    if subgroups is None or subgroups.between_groups is None:
        return None
    return RunAnswer(describe_spread(subgroups.between_groups), "subgroups")


def heterogeneity_method(facts: RunFacts) -> RunAnswer | None:
    """How differences between groups were measured."""
    if heterogeneity(facts) is None:
        return None
    return RunAnswer(
        "Standard deviation between groups in a one-way random-effects analysis of variance of "
        "right or wrong minus the recall of the class, with a permutation test within classes.",
        "subgroups",
    )


def explained(facts: RunFacts) -> RunAnswer | None:
    """How its answers are explained."""
    explanations = facts.explanations
    if explanations.grid is None:
        return None
    rows, columns = explanations.grid
    return RunAnswer(
        f"Heat maps of {rows}×{columns} cells for {explanations.num_images:,} held-out images, "
        f"each by the model that had not seen it; regions found that give a class away: "
        f"{len(explanations.shortcuts):,}.",
        "looks",
    )


def internal(facts: RunFacts) -> RunAnswer | None:
    """How it did on data of the same source."""
    evidence = facts.evidence
    if evidence.protocol.kind == "evaluation":
        return None
    return RunAnswer(_headline(evidence), "headline")


def external(facts: RunFacts) -> RunAnswer | None:
    """How it did on data from elsewhere, where ``foveal evaluate`` measured it."""
    if facts.external is None:
        return None
    return RunAnswer(
        f"On {count_noun(facts.external.metrics.num_images, 'image')} given to foveal evaluate: "
        f"{_headline(facts.external)}"
    )


def external_mix(facts: RunFacts) -> RunAnswer | None:
    """How data from elsewhere differ from those of the training."""
    if facts.external is None:
        return None
    mine, other = facts.evidence.data, facts.external.data
    return RunAnswer(
        f"Class mix: {_mix(mine.class_names, mine.class_counts)} in training; "
        f"{_mix(other.class_names, other.class_counts)} elsewhere."
    )


def performance(facts: RunFacts) -> RunAnswer:
    """The main figures with their intervals."""
    evidence = facts.evidence
    verdict = describe_against_baseline(evidence.metrics, evidence.baseline)
    subgroups = "" if evidence.subgroups is None else " Figures by subgroup stand beside them."
    return RunAnswer(f"{_headline(evidence)} It is {verdict}.{subgroups}", "headline")


def estimates(facts: RunFacts) -> RunAnswer:
    """Sensitivities and areas with their intervals."""
    found = facts.evidence.metrics.per_class
    operating = facts.evidence.operating
    told = []
    for index, one in enumerate(found[:_MAX_NAMED]):
        rates = None if operating is None else operating.rates[index]
        other = "" if rates is None else f", specificity {_short(rates.specificity)}"
        told.append(
            f"{printable(one.name)} sensitivity {_short(one.recall)}{other}, area "
            f"{_short(one.auroc, False)}"
        )
    more = f"; {len(found) - _MAX_NAMED} more classes" if len(found) > _MAX_NAMED else ""
    curves = " With curves." if operating is not None and operating.curves else ""
    section = "classes" if operating is None else "operating"
    return RunAnswer(f"{'; '.join(told)}{more}.{curves}", section)


def confusion(facts: RunFacts) -> RunAnswer:
    """Answers against labels."""
    matrix = facts.evidence.metrics.confusion
    right = sum(row[k] for k, row in enumerate(matrix))
    total = sum(map(sum, matrix))
    return RunAnswer(
        f"A table of {len(matrix)} given by {len(matrix)} predicted classes: {right:,} of "
        f"{total:,} on its diagonal.",
        "confusion",
    )


def failures(facts: RunFacts) -> RunAnswer:
    """Which images it gets wrong."""
    evidence = facts.evidence
    wrong = evidence.metrics.num_images - sum(
        row[k] for k, row in enumerate(evidence.metrics.confusion)
    )
    return RunAnswer(
        f"{count_noun(wrong, 'mistake')}; the {len(evidence.mistakes)} surest are shown with their "
        f"images, and which classes are taken for which. {printable(evidence.label_note)}",
        "mistakes",
    )


def imbalance(facts: RunFacts) -> RunAnswer:
    """How unequal classes were treated."""
    data = facts.evidence.data
    rule = facts.config.get("class_weights")
    ratio = max(data.class_counts) / max(1, min(data.class_counts))
    done = rule == "balanced" or (rule == "auto" and ratio > 5)
    what = "classes were weighted to count the same" if done else "no weights were used"
    return RunAnswer(
        f"{_mix(data.class_names, data.class_counts)}; the commonest has {ratio:.1f} times the "
        f"images of the rarest: {what} (rule: {rule}). Probabilities are calibrated afterwards.",
        "provenance",
    )


def output(facts: RunFacts) -> RunAnswer:
    """What the model answers."""
    point = _point(facts)
    cut = "" if point is None else f" {describe_point(point)}"
    return RunAnswer(
        f"A calibrated probability for each class, the most probable class, and the set of classes "
        f"that cannot be ruled out.{cut}",
        "sets",
    )


def _point(facts: RunFacts) -> OperatingPoint | None:
    operating = facts.evidence.operating
    return None if operating is None or operating.chosen is None else operating.chosen.point


def cutoffs(facts: RunFacts) -> RunAnswer | None:
    """Which cut-offs make an answer."""
    operating = facts.evidence.operating
    if operating is not None and operating.chosen is not None:
        return RunAnswer(
            f"Asked for before the training: {describe_chosen(operating.chosen)} Curves over all "
            "thresholds are exploratory.",
            "operating",
        )
    sets = facts.evidence.prediction_sets
    if sets is None:
        return None
    shown = ", ".join(f"{one:.3f}" for one in sets.thresholds[:_MAX_NAMED])
    return RunAnswer(
        "The most probable class is the answer; a class enters the prediction set from a "
        f"probability of {shown} on, set so that {percent(1 - sets.alpha)} of true labels are in "
        "it, which was decided before.",
        "sets",
    )


def indeterminate(facts: RunFacts) -> RunAnswer | None:
    """What becomes of answers that are not clear: prediction sets of two or more labels."""
    sets = facts.evidence.prediction_sets
    if sets is None:
        return None
    total = sum(sets.size_counts)
    several = sum(sets.size_counts[2:])
    return RunAnswer(
        f"A prediction set of two or more labels is an indeterminate result: {several:,} of "
        f"{total:,} images ({percent(several / total if total else 0.0, digits=1)}), of none "
        f"{sets.size_counts[0]:,}. Accuracy counts them by their most probable class and leaves "
        f"none out. {describe_prediction_sets(sets)}",
        "sets",
    )


def updating(facts: RunFacts) -> RunAnswer | None:
    """Whether the model was recalibrated."""
    calibration = facts.evidence.calibration
    if calibration is None:
        return None
    return RunAnswer(
        f"Recalibrated by one temperature ({calibration.temperature:.2f}), cross-fitted over "
        "folds; no group has one of its own.",
        "calibration",
    )


def updated_performance(facts: RunFacts) -> RunAnswer | None:
    """What recalibration changed."""
    calibration = facts.evidence.calibration
    if calibration is None:
        return None
    return RunAnswer(describe_calibration(calibration), "calibration")


def computed(facts: RunFacts) -> RunAnswer:
    """How the predictions that are judged were computed."""
    return RunAnswer(
        "Each image's probabilities come from the model whose training left its group out, by a "
        "softmax of its logits over the fold's temperature; all logits are in oof.parquet.",
        "provenance",
    )


def no_difference(facts: RunFacts) -> RunAnswer | None:
    """Whether training and testing data differ."""
    if facts.external is not None:
        return external_mix(facts)
    if facts.evidence.protocol.kind == "evaluation":
        return None
    return RunAnswer(
        "Both are parts of one data set, divided at random by group within classes: setting, "
        "eligibility, labels and images are the same.",
        "provenance",
    )


def numbers(facts: RunFacts) -> RunAnswer:
    """How many there are in each analysis."""
    data = facts.evidence.data
    return RunAnswer(
        f"{facts.evidence.metrics.num_images:,} images of "
        f"{facts.evidence.metrics.num_groups:,} groups are judged: "
        f"{_mix(data.class_names, data.class_counts)}; sizes of subgroups stand beside their "
        "figures.",
        "data",
    )


def specification(facts: RunFacts) -> RunAnswer:
    """Whether others can use the whole model."""
    return RunAnswer(
        "The whole model is in the run: model.onnx with preprocessing, class names, temperature "
        "and set thresholds in its metadata; foveal predict and two lines of Python load it.",
        "",
    )


def pixels_alone(facts: RunFacts) -> RunAnswer:
    """What the model takes."""
    return RunAnswer(
        "The pixels of one image are the only predictor; none was selected. "
        f"{preprocessing(facts).text}",
        "provenance",
    )


def no_assessor(facts: RunFacts) -> RunAnswer:
    """Who assesses the predictors."""
    return RunAnswer(
        "Does not apply: no person reads or measures a predictor; a program does.", "provenance"
    )


def goal(facts: RunFacts) -> RunAnswer:
    """What kind of study a run is."""
    tested = facts.evidence.protocol.kind
    elsewhere = " and on data from elsewhere" if facts.external is not None else ""
    return RunAnswer(
        f"Making a classifier, and testing it on data of the same source ({tested}){elsewhere}; "
        "exploratory, no trial.",
        "provenance",
    )


def technical_details(facts: RunFacts) -> RunAnswer:
    """Where everything is that is needed to repeat it."""
    return RunAnswer(
        f"Every choice, seed, version and digest is in manifest.json, each step in history.jsonl; "
        f"made by: {printable(facts.provenance.command)}",
        "provenance",
    )


def development(facts: RunFacts) -> RunAnswer:
    """How the test was made and tested, with numbers."""
    evidence = facts.evidence
    return RunAnswer(
        f"{method(facts).text} {printable(evidence.protocol.sentence)} {numbers(facts).text}",
        "provenance",
    )


def statistics(facts: RunFacts) -> RunAnswer:
    """Measures and their intervals."""
    return RunAnswer(f"{metrics_used(facts).text} {uncertainty(facts).text}", "classes")


def errors_and_fairness(facts: RunFacts) -> RunAnswer | None:
    """Failures and subgroups together."""
    found = fairness(facts) or variability(facts)
    if found is None:
        return None
    return RunAnswer(f"{failures(facts).text} {found.text}", "subgroups")


def blind(facts: RunFacts) -> RunAnswer:
    """What the classifier knows of an image beside its pixels."""
    return RunAnswer(
        "The classifier answers from pixels alone: neither clinical information nor the label of "
        "the image, nor any image of its group, was available to the model that judged it.",
        "provenance",
    )


def bad_input(facts: RunFacts) -> RunAnswer | None:
    """What becomes of images of poor quality."""
    novelty = facts.evidence.novelty
    if novelty is None:
        return None
    return RunAnswer(
        "A file that cannot be read in full is refused with its reason. An image unlike those of "
        f"the training is flagged ({percent(novelty.flagged_share, digits=1)} of held-out images "
        "are).",
        "novelty",
    )


def severity(facts: RunFacts) -> RunAnswer | None:
    """How severe the condition is, where classes are its grades."""
    ordered, data = facts.evidence.ordered, facts.evidence.data
    if ordered is None:
        return None
    counts = dict(zip(data.class_names, data.class_counts, strict=True))
    told = ", ".join(f"{printable(name)} {counts[name]:,}" for name in ordered.order)
    return RunAnswer(f"By grade, the lowest first: {told}.", "ordered")


def limits(facts: RunFacts) -> RunAnswer:
    """What the report names as limits."""
    return RunAnswer("The report names what its figures cannot say.", "limits")


def auditable(facts: RunFacts) -> RunAnswer:
    """Whether outputs are kept and can be checked."""
    return RunAnswer(
        "Every out-of-fold answer is in oof.parquet, every file of the run has its digest in "
        "manifest.json, and each step its line in history.jsonl.",
        "",
    )


def technical(facts: RunFacts) -> RunAnswer | None:
    """What is known of images by part of the data; whole where the owner named columns for it."""
    flow = facts.evidence.flow
    if flow is None:
        return None
    named = [trait.name for trait in flow.parts[0].characteristics] if flow.parts else []
    *told, last = ["Images", "groups", "classes", "sizes", *map(printable, named)]
    return RunAnswer(
        f"{', '.join(told)} and {last} by fold stand in a table.",
        "flow",
        is_whole=bool(named),
    )


def _headline(evidence: Evidence) -> str:
    metrics = evidence.metrics
    return (
        f"Accuracy {describe_interval(metrics.accuracy)}, balanced accuracy "
        f"{describe_interval(metrics.balanced_accuracy)}, area under the ROC curve "
        f"{describe_interval(metrics.auroc, percent=False)} on "
        f"{count_noun(metrics.num_images, 'image')}."
    )


def _short(interval: Interval, is_share: bool = True) -> str:
    return describe_interval(interval, percent=is_share).replace("95% interval ", "")


def _mix(names: tuple[str, ...], counts: tuple[int, ...]) -> str:
    pairs = list(zip(names, counts, strict=True))
    told = ", ".join(f"{printable(name)} {number:,}" for name, number in pairs[:_MAX_NAMED])
    more = len(pairs) - _MAX_NAMED
    return f"{told} and {more} more classes" if more > 0 else told
