"""Options that several commands share."""

from typing import Annotated

import typer

ModelsOption = Annotated[
    str, typer.Option("--models", help="Nets, comma-separated: shg2,movenet-thunder,tfjs:PATH")
]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        help="synthpose | synthpose:test | coco:PATH | mpii:PATH | crowdpose:PATH | ochuman:PATH",
    ),
]
ImagesOption = Annotated[
    str, typer.Option("--images", help="Photo folder, where it is not beside the annotations")
]
CardOption = Annotated[
    str, typer.Option("--card", help="Card of a net that others trained and that is not among the known ones")
]
MinKeypointsOption = Annotated[
    int, typer.Option("--min-keypoints", help="People in photos: labelled at least, face left out", min=0)
]
MinBoxOption = Annotated[
    float, typer.Option("--min-box", help="People in photos: box side in pixels at least", min=0)
]
DetectionsOption = Annotated[
    str, typer.Option("--detections", help="A detector's boxes instead of the true ones: COCO's results JSON")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of every random draw", min=0)]
MetricOption = Annotated[
    str, typer.Option("--metric", help="pckh | pck | ks; by default what suits data and nets, see docs/scores.md")
]
