"""Everything this package brings, one line each: name to `module:attribute`."""

from typing import Final

__all__ = ["BUILTINS"]

BUILTINS: Final[dict[str, dict[str, str]]] = {
    "readers": {
        "run": "recaption.datasets.readers.run_folder:RunFolderReader",
        "folder": "recaption.datasets.readers.folder:FolderReader",
        "table": "recaption.datasets.readers.table:TableReader",
        "webdataset": "recaption.datasets.readers.webdataset:WebDatasetReader",
        "coco": "recaption.datasets.readers.coco:CocoReader",
        "huggingface": "recaption.datasets.readers.huggingface:HuggingFaceReader",
    },
    "writers": {
        "parquet": "recaption.datasets.writers.table:ParquetWriter",
        "jsonl": "recaption.datasets.writers.table:JsonlWriter",
        "sidecar": "recaption.datasets.writers.sidecar:SidecarWriter",
        "webdataset": "recaption.datasets.writers.webdataset:WebDatasetWriter",
        "imagefolder": "recaption.datasets.writers.imagefolder:ImageFolderWriter",
        "coco": "recaption.datasets.writers.coco:CocoWriter",
    },
    "stages": {
        "gather": "recaption.stages.gather:Gather",
        "normalise": "recaption.stages.normalise:Normalise",
        "triage": "recaption.stages.triage:Triage",
        "caption": "recaption.stages.caption:CaptionStage",
        "check": "recaption.stages.check:Check",
        "compose": "recaption.stages.compose:Compose",
        "fit": "recaption.stages.fit:Fit",
        "score": "recaption.stages.score:Score",
        "select": "recaption.stages.select:Select",
        "mark_for_audit": "recaption.stages.mark_for_audit:MarkForAudit",
    },
    "experts": {
        "pixels": "recaption.models.pixels:PixelExpert",
        "ocr": "recaption.models.rapidocr:RapidOcrExpert",
        "yolox": "recaption.models.yolox:YoloxExpert",
    },
    "scorers": {
        "clip": "recaption.models.hf.dual_encoder:DualEncoderScorer",
        "embedded": "recaption.models.hf.dual_encoder:EmbeddedDualEncoder",
        "itm": "recaption.models.hf.matching:MatchingScorer",
        "perplexity": "recaption.models.hf.perplexity:PerplexityScorer",
        "repetition": "recaption.models.repetition:RepetitionScorer",
    },
    "generators": {
        "transformers": "recaption.models.hf.generator:TransformersGenerator",
        "embedded": "recaption.models.hf.embedded:EmbeddedGenerator",
        "openai": "recaption.models.openai.generator:OpenAIGenerator",
        "scripted": "recaption.models.scripted:ScriptedGenerator",
    },
    "metrics": {},
    "budgets": {
        "clip77": "recaption.media.budgets:clip77",
        "longclip248": "recaption.media.budgets:longclip248",
        "siglip64": "recaption.media.budgets:siglip64",
        "t5_512": "recaption.media.budgets:t5_512",
        "words": "recaption.media.budgets:words",
        "characters": "recaption.media.budgets:characters",
    },
}
