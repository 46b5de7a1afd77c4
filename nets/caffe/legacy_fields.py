"""The messages of Caffe's two older ways to write a layer, in the notation of ``fields``."""

from __future__ import annotations

from .fields import POOL

# V1 layers name their types in capitals; number and today's name.
V1_TYPES = {
    "NONE": (0, ""),
    "ABSVAL": (35, "AbsVal"),
    "ACCURACY": (1, "Accuracy"),
    "ARGMAX": (30, "ArgMax"),
    "BNLL": (2, "BNLL"),
    "CONCAT": (3, "Concat"),
    "CONTRASTIVE_LOSS": (37, "ContrastiveLoss"),
    "CONVOLUTION": (4, "Convolution"),
    "DATA": (5, "Data"),
    "DECONVOLUTION": (39, "Deconvolution"),
    "DROPOUT": (6, "Dropout"),
    "DUMMY_DATA": (32, "DummyData"),
    "ELTWISE": (25, "Eltwise"),
    "EUCLIDEAN_LOSS": (7, "EuclideanLoss"),
    "EXP": (38, "Exp"),
    "FLATTEN": (8, "Flatten"),
    "HDF5_DATA": (9, "HDF5Data"),
    "HDF5_OUTPUT": (10, "HDF5Output"),
    "HINGE_LOSS": (28, "HingeLoss"),
    "IM2COL": (11, "Im2col"),
    "IMAGE_DATA": (12, "ImageData"),
    "INFOGAIN_LOSS": (13, "InfogainLoss"),
    "INNER_PRODUCT": (14, "InnerProduct"),
    "LRN": (15, "LRN"),
    "MEMORY_DATA": (29, "MemoryData"),
    "MULTINOMIAL_LOGISTIC_LOSS": (16, "MultinomialLogisticLoss"),
    "MVN": (34, "MVN"),
    "POOLING": (17, "Pooling"),
    "POWER": (26, "Power"),
    "RELU": (18, "ReLU"),
    "SIGMOID": (19, "Sigmoid"),
    "SIGMOID_CROSS_ENTROPY_LOSS": (27, "SigmoidCrossEntropyLoss"),
    "SILENCE": (36, "Silence"),
    "SLICE": (33, "Slice"),
    "SOFTMAX": (20, "Softmax"),
    "SOFTMAX_LOSS": (21, "SoftmaxWithLoss"),
    "SPLIT": (22, "Split"),
    "TANH": (23, "TanH"),
    "THRESHOLD": (31, "Threshold"),
    "WINDOW_DATA": (24, "WindowData"),
}
_TYPES = ",".join(f"{name}={number}" for name, (number, _) in V1_TYPES.items())

LEGACY = {
    "V1LayerParameter": f"""bottom=2:string* top=3:string* name=4:string include=32:NetStateRule*
        exclude=33:NetStateRule* type=5:LayerType{{{_TYPES}}} blobs=6:BlobProto* param=1001:string*
        blob_share_mode=1002:DimCheckMode{{STRICT,PERMISSIVE}}* blobs_lr=7:float* weight_decay=8:float*
        loss_weight=35:float* accuracy_param=27:AccuracyParameter argmax_param=23:ArgMaxParameter
        concat_param=9:ConcatParameter contrastive_loss_param=40:ContrastiveLossParameter
        convolution_param=10:ConvolutionParameter data_param=11:DataParameter dropout_param=12:DropoutParameter
        dummy_data_param=26:DummyDataParameter eltwise_param=24:EltwiseParameter exp_param=41:ExpParameter
        hdf5_data_param=13:HDF5DataParameter hdf5_output_param=14:HDF5OutputParameter
        hinge_loss_param=29:HingeLossParameter image_data_param=15:ImageDataParameter
        infogain_loss_param=16:InfogainLossParameter inner_product_param=17:InnerProductParameter
        lrn_param=18:LRNParameter memory_data_param=22:MemoryDataParameter mvn_param=34:MVNParameter
        pooling_param=19:PoolingParameter power_param=21:PowerParameter relu_param=30:ReLUParameter
        sigmoid_param=38:SigmoidParameter softmax_param=39:SoftmaxParameter slice_param=31:SliceParameter
        tanh_param=37:TanHParameter threshold_param=25:ThresholdParameter window_data_param=20:WindowDataParameter
        transform_param=36:TransformationParameter loss_param=42:LossParameter layer=1:V0LayerParameter""",
    "V0LayerParameter": f"""name=1:string type=2:string num_output=3:uint32 biasterm=4:bool=true
        weight_filler=5:FillerParameter bias_filler=6:FillerParameter pad=7:uint32=0 kernelsize=8:uint32
        group=9:uint32=1 stride=10:uint32=1 pool=11:{POOL} dropout_ratio=12:float=0.5 local_size=13:uint32=5
        alpha=14:float=1 beta=15:float=0.75 k=22:float=1 source=16:string scale=17:float=1 meanfile=18:string
        batchsize=19:uint32 cropsize=20:uint32=0 mirror=21:bool=false blobs=50:BlobProto* blobs_lr=51:float*
        weight_decay=52:float* rand_skip=53:uint32=0 det_fg_threshold=54:float=0.5 det_bg_threshold=55:float=0.5
        det_fg_fraction=56:float=0.25 det_context_pad=58:uint32=0 det_crop_mode=59:string=warp new_num=60:int32=0
        new_channels=61:int32=0 new_height=62:int32=0 new_width=63:int32=0 shuffle_images=64:bool=false
        concat_dim=65:uint32=1 hdf5_output_param=1001:HDF5OutputParameter""",
}
