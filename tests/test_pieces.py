"""Pieces of bone: one name each, without scraps, holes, or what hangs on by a neck."""

from __future__ import annotations

import numpy as np

from footcli.infer.pieces import main_part, one_name, smooth


def test_a_piece_between_its_joints_gets_one_name_and_bones_that_are_one_piece_keep_two() -> None:
    labels = np.zeros((16, 16, 60), np.uint8)
    air = np.ones(labels.shape, np.float32)
    labels[3:13, 3:13, 2:56] = 7
    labels[3:13, 3:13, 2:29] = 5
    air[labels > 0] = 0.0
    air[:, :, 28:31] = 0.3  # a joint that the votes fill
    truth = labels.copy()
    labels[3:5, 3:13, 20:29] = 7  # a corner of the first bone, cut off straight
    marred = labels.copy()
    one_name(labels, air)
    assert (labels == truth).mean() > 0.999
    air[:, :, 28:31] = np.where(truth[:, :, 28:31] > 0, 0.0, 1.0)  # fused
    fused = truth.copy()
    one_name(fused, air)
    assert (fused == truth).all()
    assert (marred != truth).sum() == 180
    nothing = np.zeros((4, 4, 4), np.uint8)
    one_name(nothing, np.ones((4, 4, 4), np.float32))
    assert not nothing.any()


def test_what_hangs_on_a_metatarsal_by_a_thin_neck_is_cut_off() -> None:
    ray = np.zeros((12, 12, 60), bool)
    ray[3:9, 3:9, 2:35] = True
    sure = np.full(ray.shape, 0.9, np.float32)
    assert (main_part(ray, sure) == ray).all()
    joined = ray.copy()
    joined[3:9, 3:9, 38:55] = True  # a phalanx
    joined[5:7, 5:7, 35:38] = True  # the neck that runs through the joint
    kept = main_part(joined, sure)
    assert kept[..., :34].sum() == ray[..., :34].sum()
    assert not kept[..., 38:].any()
    joined[3:9, 3:9, 35:38] = True  # as thick as the bones
    assert (main_part(joined, sure) == joined).all()
    doubtful = sure.copy()
    doubtful[..., 34:39] = 0.5
    kept = main_part(joined, doubtful)
    assert kept[..., :34].sum() == ray[..., :34].sum()
    assert not kept[..., 39:].any()
    assert not main_part(np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), np.float32)).any()


def test_a_mask_loses_its_scraps_and_its_holes_and_nothing_else() -> None:
    bone = (
        np.sqrt(
            ((np.indices((40, 40, 40)) - np.array((20, 20, 14)).reshape(3, 1, 1, 1)) ** 2).sum(0)
        )
        <= 9
    )
    marred = bone.copy()
    marred[20, 20, 14] = False
    marred[20, 18:22, 23:34] = True  # a sheet one voxel thin that runs off
    got = smooth(marred)
    assert got[bone].all()
    assert not got[..., 26:].any()
    rod = np.zeros((20, 20, 20), bool)
    rod[8:11, 8:11, 3:17] = True  # three voxels thick: the thinnest of bones
    assert (smooth(rod) == rod).all()
    sheet = np.zeros((20, 20, 20), bool)
    sheet[10, 5:15, 5:15] = True
    assert (smooth(sheet) == sheet).all()  # nothing of it is thick: better kept than lost
